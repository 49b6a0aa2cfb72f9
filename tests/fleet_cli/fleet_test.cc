// Hosts, snapshots, keys, operations, the fleet itself and contexts, as users type them.
#include "fleet_cli/fleet_command_test.h"

namespace fusebox::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class FleetCommand : public FleetCommandTest {};

TEST_F(FleetCommand, HostsAreAddedWithTheirTokenFromAFile) {
  on("POST /v1/hosts", 201, R"({"id":"h1","warnings":["declared cpus (8) exceeds probed host capacity of 4"]})");
  const std::string token = write("token", "agent-secret\n");
const Finished done = fusebox({"hosts",
                               "add",
                               "h1",
                               "--url",
                               "https://10.0.0.5:9090",
                               "--agent-token-file",
                               token,
                               "--max-vms",
                               "50",
                               "--ram",
                               "64GiB",
                               "--cpus",
                               "8",
                               "--label",
                               "zone=a",
                               "--backend",
                               "qemu",
                               "--mig-profile",
                               "1g.10gb=2",
                               "--fingerprint",
                               "ab"});
EXPECT_EQ(done.status, 0) << done.err;
EXPECT_EQ(done.out, "h1\n");
EXPECT_THAT(done.err, AllOf(HasSubstr("warning: declared cpus"), Not(HasSubstr("agent-secret"))));
EXPECT_EQ(seen().at(0).body,
          R"({"id":"h1","url":"https://10.0.0.5:9090","token":"agent-secret","backend":"qemu","labels":{"zone":"a"},)"
          R"("capacity":{"cpus":8,"ram_mb":65536,"vm_count":50,"mig_profiles":{"1g.10gb":2}},)"
          R"("tls":{"fingerprint_sha256":"ab"}})");
}

TEST_F(FleetCommand, HostsAreListedAndTheirStatesChanged) {
  on("GET /v1/hosts", 200,
     R"({"hosts":[{"id":"h1","state":"active","backend":"wasm","capacity":{"cpus":8,"ram_mb":4096,"vm_count":50},)"
     R"("allocated":{"cpus":2,"ram_mb":512,"vm_count":1},"reachability":{"state":"unreachable"},"last_seen":"0001-01-01T00:00:00Z"}]})");
  on("POST /v1/hosts/h1?action=", 204, "");
  on("DELETE /v1/hosts/h1", 409, error_json("conflict", "host h1 still has vm fuse-a assigned"));
  EXPECT_EQ(fusebox({"hosts", "ls"}).out,
            "ID  STATE   REACHABLE    BACKEND  CPUS  USED  RAM MB  USED  VMS  USED\n"
            "h1  active  unreachable  wasm     8     2     4096    512   50   1\n");
  EXPECT_EQ(fusebox({"hosts", "cordon", "h1"}).out, "h1 is cordoned\n");
  EXPECT_EQ(seen().back().target, "/v1/hosts/h1?action=cordon");
  EXPECT_EQ(fusebox({"hosts", "uncordon", "h1"}).out, "h1 is active\n");
  EXPECT_EQ(fusebox({"hosts", "drain", "h1", "--evict", "--timeout", "10m"}).status, 0);
  EXPECT_EQ(seen().back().body, R"({"evict":true,"timeout_seconds":600})");
  const Finished busy = fusebox({"hosts", "rm", "h1"});
  EXPECT_EQ(busy.status, 5);
  EXPECT_THAT(busy.err, HasSubstr("host h1 still has vm fuse-a assigned"));
}

TEST_F(FleetCommand, ExplainSaysWhyForEachHost) {
  on("POST /v1/hosts?action=explain", 200,
     R"({"hosts":[{"host_id":"h1","fits":true,"score":80512},{"host_id":"h2","fits":false,"reason":"is cordoned, not active"}],)"
     R"("decision":{"host_id":"h1"}})");
  const Finished done = fusebox({"hosts", "explain", "--cpus", "2", "--label", "zone=a"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(
      done.out,
      "HOST  FITS  SCORE  REASON\nh1    yes   80512  -\nh2    no    -      is cordoned, not active\nhost_id: h1\n");
  EXPECT_EQ(seen().back().body, R"({"spec":{"cpus":2,"labels":{"zone":"a"}}})");
  fusebox({"hosts", "explain", write("create.json", R"({"task_id": "x", "spec": {"ram_mb": 5}})")});
  EXPECT_EQ(seen().back().body, R"({"spec":{"ram_mb":5}})");
  fusebox({"hosts", "explain", "-"}, {.input = R"({"ram_mb":6})"});
  EXPECT_EQ(seen().back().body, R"({"spec":{"ram_mb":6}})");
  EXPECT_EQ(fusebox({"hosts", "explain", "{"}).status, 2);
}

TEST_F(FleetCommand, ExplainIsStatusSixWhenNoHostFits) {
  on("POST /v1/hosts?action=explain", 200,
     R"({"hosts":[{"host_id":"h2","fits":false,"reason":"is unreachable"}],"decision":{}})");
  EXPECT_EQ(fusebox({"hosts", "explain"}).status, 6);
}

TEST_F(FleetCommand, SnapshotsAreFoundAndUsed) {
  on("GET /v1/snapshots/resolve?layer_key=k&arch=amd64", 200, R"({"found":true,"snapshot":{"id":"s9"}})");
  on("GET /v1/snapshots/resolve", 200, R"({"found":false})");
  on("GET /v1/snapshots?vm_id=fuse-a&name=n", 200,
     R"({"snapshots":[{"id":"s1","state":"ready","mode":"manual","kind":"disk","vm_id":"fuse-a","name":"n","size_bytes":20480}]})");
  on("POST /v1/snapshots/s1?action=restore", 204, "");
  on("POST /v1/snapshots/s1?action=fork", 201, kEnvironmentA);
  on("DELETE /v1/snapshots/s1", 204, "");
  EXPECT_EQ(fusebox({"snapshots", "ls", "--vm", "fuse-a", "--name", "n"}).out,
            "ID  STATE  MODE    KIND  VM      NAME  SIZE\ns1  ready  manual  disk  fuse-a  n     20K\n");
  EXPECT_EQ(fusebox({"snapshots", "restore", "s1"}).out, "s1 restored\n");
  EXPECT_EQ(fusebox({"snapshots", "fork", "s1", "--task-id", "t", "--cpus", "2"}).out, "fuse-a\n");
  EXPECT_EQ(seen().back().body, R"({"task_id":"t","spec":{"cpus":2}})");
  EXPECT_EQ(fusebox({"snapshots", "rm", "s1"}).out, "s1 removed\n");
  EXPECT_EQ(fusebox({"snapshots", "resolve", "--layer-key", "k", "--arch", "amd64"}).out, "s9\n");
  EXPECT_EQ(fusebox({"snapshots", "resolve", "--layer-key", "other", "--arch", "amd64"}).status, 3);
}

TEST_F(FleetCommand, AKeyIsPrintedAlone) {
  on("POST /v1/api-keys", 201,
     R"({"id":"ak_1","key":"fuse_sk_x","scopes":["env:read"],"created_at":"2026-01-01T00:00:00Z"})");
  on("GET /v1/api-keys", 200,
     R"({"api_keys":[{"id":"ak_1","label":"ci","scopes":["env:read","env:exec"],"created_at":"0001-01-01T00:00:00Z"}]})");
  on("DELETE /v1/api-keys/ak_1", 204, "");
  const Finished made =
      fusebox({"keys", "create", "--label", "ci", "--scope", "env:read", "--expires", "24h", "--tenant", "t"});
  EXPECT_EQ(made.out, "fuse_sk_x\n");
  EXPECT_THAT(made.err, HasSubstr("key ak_1 was made"));
  EXPECT_EQ(seen().back().body, R"({"label":"ci","tenant_id":"t","expires_in_seconds":86400,"scopes":["env:read"]})");
  EXPECT_EQ(fusebox({"keys", "ls"}).out, "ID    LABEL  SCOPES\nak_1  ci     env:read,env:exec\n");
  EXPECT_EQ(fusebox({"keys", "revoke", "ak_1"}).out, "ak_1 revoked\n");
}

TEST_F(FleetCommand, OperationsAuditAndDeadLetters) {
  on("GET /v1/operations/op1", 200, R"({"id":"op1","kind":"create","state":"done"})");
  on("GET /v1/operations?vm_id=fuse-a", 200, R"({"operations":[{"id":"op1","kind":"create","state":"done"}]})");
  on("GET /v1/audit?entity_id=fuse-a&limit=200", 200,
     R"({"events":[{"id":1,"event_type":"vm.running","entity_type":"vm","entity_id":"fuse-a"}]})");
  on("GET /v1/dead-letters", 200, R"({"dead_letters":[{"id":17,"kind":"stuck_task","entity_id":"fuse-a"}]})");
  on("POST /v1/dead-letters/17?action=ack", 204, "");
  EXPECT_EQ(fusebox({"operations", "ls", "--vm", "fuse-a"}).out, "ID   KIND    STATE\nop1  create  done\n");
  EXPECT_THAT(fusebox({"operations", "get", "op1"}).out, HasSubstr("kind   create\n"));
  EXPECT_EQ(fusebox({"fleet", "audit", "--entity", "fuse-a", "--all"}).out,
            "EVENT       TYPE  ENTITY\nvm.running  vm    fuse-a\n");
  EXPECT_EQ(fusebox({"fleet", "dead-letters", "ls"}).out, "ID  KIND        ENTITY\n17  stuck_task  fuse-a\n");
  EXPECT_EQ(fusebox({"fleet", "dead-letters", "ack", "17"}).out, "17 acknowledged\n");
}

TEST_F(FleetCommand, StatusAddsUp) {
  on("GET /v1/version", 200,
     R"({"service":"fuse-orchestrator","version":"dev","product":"fusebox","product_version":"1.2.3"})");
  on("GET /ready", 200, R"({"status":"ready"})");
  on("GET /v1/hosts", 200,
     R"({"hosts":[{"id":"h1","state":"cordoned","reachability":{"state":"suspect"}},{"id":"h2","state":"active"}]})");
  on("GET /v1/environments", 200, R"({"environments":[{"id":"a","state":"running"},{"id":"b","state":"running"}]})");
  const Finished done = fusebox({"fleet", "status"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("VERSION       fusebox 1.2.3\n"), HasSubstr("READY         yes\n"),
                              HasSubstr("HOSTS         2 (1 do not answer, 1 take nothing new)\n"),
                              HasSubstr("ENVIRONMENTS  2 (2 running)\n")));
  EXPECT_THAT(fusebox({"fleet", "status", "--json"}).out, HasSubstr(R"("environments":{"running":2})"));
}

TEST_F(FleetCommand, MetricsByPrefix) {
  on("GET /metrics", 200, "# TYPE a_total counter\na_total 1\nb{x=\"y\"} 2\n");
  EXPECT_EQ(fusebox({"fleet", "metrics", "b"}).out, "b{x=\"y\"} 2\n");
  EXPECT_EQ(fusebox({"fleet", "metrics", "a", "--json"}).out,
            "[{\"name\":\"a_total\",\"labels\":\"\",\"value\":\"1\"}]\n");
}

TEST_F(FleetCommand, ContextsAreVerifiedKeptAndUsed) {
  on("GET /v1/version", 200, R"({"service":"fuse-orchestrator","version":"dev"})");
  on("GET /v1/hosts", [](const SeenRequest& request, TestConnection& to) {
    const bool good = request.header("Authorization") == "Bearer good";
    return to.write(good ? response(403, "", error_json("unauthorized", "no scope"))
                         : response(401, "", error_json("unauthorized", "invalid token")));
  });
  on("GET /v1/environments", 200, R"({"environments":[]})");
  fusebox({"context", "ls"});
  const Finished bad = fusebox({"context", "add", "prod", url(), "--token", "bad"});
  EXPECT_EQ(bad.status, 4);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("invalid token"), HasSubstr("nothing was written")));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "config.yaml"));
  const Finished added = fusebox({"context", "add", "prod", url() + "/", "--token-stdin"}, {.input = "good\n"});
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_EQ(fusebox({"context", "add", "dev", "http://127.0.0.1:1", "--no-verify", "--no-use"}).out, "dev added\n");
  EXPECT_EQ(fusebox({"context", "ls"}).out, "   NAME  SERVER" + std::string(url().size() - 4, ' ') + "TOKEN  HOST\n" +
                                                "*  prod  " + url() + "  yes    -\n" + "   dev   http://127.0.0.1:1" +
                                                std::string(url().size() - 16, ' ') + "-      -\n");
  EXPECT_THAT(read("config.yaml"), AllOf(HasSubstr("current_context: prod"), HasSubstr("token: good")));
  EXPECT_EQ(fusebox({"env", "ls", "--context", "prod"}).status, 0);
  EXPECT_EQ(seen().back().header("Authorization"), "Bearer good");
  EXPECT_EQ(fusebox({"context", "use", "dev"}).out, "dev is the current context\n");
  EXPECT_EQ(fusebox({"context", "current"}, {.environment = {"FUSE_BASE_URL=", "FUSE_TOKEN="}}).out,
            "dev  http://127.0.0.1:1  without a token\n");
  EXPECT_EQ(fusebox({"context", "use", "nope"}).status, 3);
  EXPECT_EQ(fusebox({"context", "rm", "dev"}).out, "dev removed\n");
}

TEST_F(FleetCommand, AServerThatIsNoneIsNotAContext) {
  on("GET /v1/version", 200, R"({"service":"something-else"})");
  fusebox({"context", "ls"});
  const Finished done = fusebox({"context", "add", "x", url()});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("is no control plane"));
}

TEST_F(FleetCommand, NobodyThereIsStatusOne) {
  const Finished done = fusebox({"env", "ls", "--server", "http://127.0.0.1:1"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("fusebox: http://127.0.0.1:1: "));
  EXPECT_THAT(done.out, IsEmpty());
}

}  // namespace
}  // namespace fusebox::testing
