#include "host/wire/agent_server.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "host/api/grant.h"
#include "host/wire/wire_test_support.h"

namespace fusebox::host::test {
namespace {

using Headers = std::vector<http::Header>;

struct AgentWire : ::testing::Test {
  Rig rig;
};

TEST_F(AgentWire, AsksForTheTokenOnEveryRoute) {
  for (const char* path : {"/", "/healthz", "/v1/capacity", "/v1/vm", "/v1/vm/x", "/metrics", "/nowhere"}) {
    SCOPED_TRACE(path);
    for (const Headers& headers :
         {Headers{}, Headers{{"Authorization", "Bearer wrong"}}, Headers{{"Authorization", "bearer agent-token"}},
          Headers{{"Authorization", "Bearer agent-token "}, {"X", "y"}},
          Headers{{"Authorization", "Bearer agent-token2"}}}) {
      if (headers.size() == 2) continue;  // a blank at the end is not part of a header's value
      const auto reply = rig.ask("GET", path, "", headers);
      ASSERT_TRUE(reply) << reply.error().message;
      EXPECT_EQ(reply->status, 401);
      EXPECT_EQ(reply->body, "unauthorized");
      EXPECT_EQ(*reply->find("content-type"), "text/plain");
    }
  }
  EXPECT_EQ(rig.logged.find(kToken), std::string::npos);
}

TEST(AgentWireTokens, TwoAreGoodWhileOneTakesOverFromTheOther) {
  AgentServerOptions options;
  options.token = kToken;
  options.token_previous = "old";
  Rig rig(options);
  EXPECT_EQ(rig.ask("GET", "/", "", Headers{{"Authorization", "Bearer old"}})->status, 200);
  EXPECT_EQ(rig.ask("GET", "/")->status, 200);
  EXPECT_EQ(rig.ask("GET", "/", "", Headers{{"Authorization", "Bearer "}})->status, 401);
}

TEST_F(AgentWire, TellsWhoItIs) {
  const auto reply = rig.ask("GET", "/healthz");
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body.find(R"({"ok":true,"app_name":"fc-agent","product":"fusebox","version":")"), 0u) << reply->body;
  EXPECT_EQ(*reply->find("server"), agent_server_name());
  EXPECT_EQ(*reply->find("content-length"), std::to_string(reply->body.size()));
  const auto capacity = rig.ask("GET", "/v1/capacity");
  EXPECT_NE(capacity->body.find(R"("agent":{"name":"fusebox-host","version":)"), std::string::npos) << capacity->body;
  EXPECT_NE(capacity->body.find(R"("async-pull","exec-stream","files","generation")"), std::string::npos)
      << capacity->body;
}

struct RefusalCase {
  const char* name;
  const char* method;
  const char* path;
  const char* body;
  int status;
  const char* text;
};
constexpr RefusalCase kRefusals[] = {
    {"unknown route", "GET", "/v1/none", "", 404, "not found"},
    {"unknown method", "PATCH", "/v1/vm/a", "{}", 404, "not found"},
    {"unknown VM", "GET", "/v1/vm/none", "", 404, "vm not found"},
    {"unknown VM deleted", "DELETE", "/v1/vm/none", "", 404, "vm not found"},
    {"no JSON", "POST", "/v1/vm", "{", 400, "invalid JSON: "},
    {"no object", "POST", "/v1/vm", "[]", 400, "invalid JSON: the body must be an object"},
    {"too many CPUs", "POST", "/v1/vm", R"({"cpus":33})", 400, "bad field: 'cpus': must be 1 to 32"},
    {"too little memory", "POST", "/v1/vm", R"({"memory_mb":127})", 400,
     "bad field: 'memory_mb': must be at least 128"},
    {"name twice", "POST", "/v1/vm", R"({"name":"A"})", 409, "vm a already exists"},
    {"no path", "POST", "/v1/vm/a/upload", "{}", 400, "missing field: 'path'"},
    {"no content", "POST", "/v1/vm/a/upload", R"({"path":"/x"})", 400, "missing field: 'content_b64'"},
    {"no base64", "POST", "/v1/vm/a/upload", R"({"path":"/x","content_b64":"%"})", 400,
     "bad field: 'content_b64': not base64"},
    {"no command", "POST", "/v1/vm/a/exec", "", 400, "missing field: 'cmd'"},
    {"empty command", "POST", "/v1/vm/a/exec", R"({"cmd":[]})", 400,
     "bad field: 'cmd': must be a non-empty list of strings"},
    {"no manifest", "POST", "/v1/vm/a/start-agent", "{}", 400, "missing field: 'manifest_path'"},
    {"no snapshot named", "POST", "/v1/vm/a/restore", "{}", 400, "missing field: 'snapshot_id'"},
    {"unknown snapshot", "DELETE", "/v1/vm/a/snapshots/none", "", 404, "snapshot not found"},
    {"path as snapshot", "DELETE", "/v1/snapshots/..%2Fx", "", 404, "snapshot not found"},
    {"attach without upgrade", "GET", "/v1/vm/a/attach?tty=1", "", 400, "attach requires Upgrade: fuse-attach/1"},
    {"stream without upgrade", "GET", "/v1/vm/a/exec-stream?cmd=x", "", 400,
     "exec-stream requires Upgrade: fuse-exec/1"},
    {"no path of a file", "GET", "/v1/vm/a/files", "", 400, "missing query parameter: 'path'"},
    {"mode", "PUT", "/v1/vm/a/files?path=%2Fx&mode=9", "", 400, "mode must be octal, such as 0644"},
    {"pull of no digest", "POST", "/v1/artifacts/abc/pull", "{}", 400,
     "the digest must be 64 lower-case hexadecimal digits"},
    {"unknown operation", "GET", "/v1/operations/none", "", 404, "operation not found"},
    {"artifact without a grant", "GET", "/v1/artifacts/abc", "", 403, "forbidden"},
};
TEST_F(AgentWire, SaysWhatIsWrongAsTheContractSays) {
  rig.make("a");
  for (const RefusalCase& c : kRefusals) {
    SCOPED_TRACE(c.name);
    const auto reply = rig.ask(c.method, c.path, c.body);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->status, c.status);
    EXPECT_EQ(reply->body.find(c.text), 0u) << reply->body;
    EXPECT_EQ(*reply->find("content-type"), "text/plain");
  }
}

TEST_F(AgentWire, BoundsBodies) {
  rig.make("a");
  const std::string most = R"({"cmd":["true"],"x":")" + std::string(kAgentBodyBytesMax - 24, 'x') + "\"}";
  ASSERT_LE(most.size(), kAgentBodyBytesMax);
  EXPECT_EQ(rig.ask("POST", "/v1/vm/a/exec", most)->status, 200);
  EXPECT_EQ(rig.ask("POST", "/v1/vm/a/exec", most + "    ")->status, 413);
  const std::string content = base::to_base64(base::as_bytes(std::string(3u << 20, 'y')));
  EXPECT_EQ(rig.ask("POST", "/v1/vm/a/upload", R"({"path":"/y","content_b64":")" + content + "\"}")->status, 200);
}

TEST_F(AgentWire, MapsNamesInPathsAsInBodies) {
  EXPECT_EQ(
      rig.ask("POST", "/v1/vm", R"({"name":"Team_A/7","unknown":[1]})")->body.find(R"({"vm_id":"team-a-7","url":)"),
      0u);
  EXPECT_EQ(rig.ask("GET", "/v1/vm/Team_A%2F7")->status, 200);
  EXPECT_EQ(rig.ask("GET", "/v1/vm?prefix=team-a")->body.find(R"({"vms":[{"vm_id":"team-a-7")"), 0u);
  EXPECT_EQ(rig.ask("DELETE", "/v1/vm/team-a-7")->status, 204);
}

TEST_F(AgentWire, RefusesAnOlderGeneration) {
  const auto with = [&](const char* generation) {
    return Headers{{"Authorization", std::string("Bearer ") + kToken}, {"X-Fusebox-Generation", generation}};
  };
  EXPECT_EQ(rig.ask("POST", "/v1/vm", R"({"name":"g"})", with("5"))->status, 200);
  const auto stale = rig.ask("DELETE", "/v1/vm/g", "", with("4"));
  EXPECT_EQ(stale->status, 412);
  EXPECT_EQ(stale->body, "stale generation");
  EXPECT_EQ(rig.ask("DELETE", "/v1/vm/g", "", with("x"))->status, 400);
  EXPECT_NE(rig.ask("GET", "/metrics")->body.find("fusebox_host_stale_generation_total 1\n"), std::string::npos);
}

TEST_F(AgentWire, TheSixtyFifthGuestCallIsRefused) {
  rig.make("a");
  rig.provider.exec_hangs = true;
  std::size_t answered = 0;
  std::vector<int> statuses;
  const auto call = [](Rig& r, std::size_t& count, std::vector<int>& into) -> Task<void> {
    http::AsyncRequest request;
    request.method = "POST";
    request.url = r.url("/v1/vm/a/exec");
    request.body = R"({"cmd":["x"]})";
    request.headers = {{"Authorization", std::string("Bearer ") + kToken}};
    auto reply = co_await r.client->send(std::move(request));
    into.push_back(reply ? reply->status : 0);
    ++count;
  };
  for (std::size_t i = 0; i < kGuestCallsMax; ++i) base::spawn(rig.loop, call(rig, answered, statuses));
  rig.settle([&] { return rig.provider.execs.size() == kGuestCallsMax; });
  const auto refused = rig.ask("POST", "/v1/vm/a/exec", R"({"cmd":["x"]})");
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->body, "vm a has 64 calls under way, the most allowed");
  // DELETE waits for none of them: it stops them.
  EXPECT_EQ(rig.ask("DELETE", "/v1/vm/a")->status, 204);
  rig.settle([&] { return answered == kGuestCallsMax; });
  EXPECT_EQ(std::ranges::count(statuses, 409) + std::ranges::count(statuses, 504), 64);
}

TEST_F(AgentWire, ExecTellsAllItKnows) {
  rig.make("a");
  rig.provider.exec_result = {.exit = {.exit_code = 124, .signal = "KILL", .timed_out = true},
                              .out = std::string("a\0b", 3),
                              .err = "\xff",
                              .out_truncated = true};
  const auto reply =
      rig.ask("POST", "/v1/vm/a/exec",
              R"({"cmd":["a b",""],"timeout_ms":900000,"env":{"K":"v"},"cwd":"/w","user":"u","stdin_b64":"aGk="})");
  EXPECT_EQ(reply->body, R"({"exit_code":124,"stdout":"YQBi","stderr":"/w==","timed_out":true,"signal":"KILL",)"
                         R"("truncated":{"stdout":true}})");
  const ProcessSpec& spec = rig.provider.execs.front().second;
  EXPECT_EQ(spec.argv, (std::vector<std::string>{"a b", ""}));
  EXPECT_EQ(spec.timeout, 600s);
  EXPECT_EQ(spec.env.front(), (std::pair<std::string, std::string>("K", "v")));
  EXPECT_EQ(spec.cwd + spec.user + spec.stdin_bytes, "/wuhi");
}

TEST_F(AgentWire, LogsAreLinesAndGoOnWhereTheyEnded) {
  rig.make("a");
  rig.provider.log = {{1s, "serial", "one"}, {2s, "agent", "two\xff"}, {3s, "serial", "three"}};
  const auto all = rig.ask("GET", "/v1/vm/a/logs");
  EXPECT_EQ(all->body,
            "{\"at\":\"1970-01-01T00:00:01.000000Z\",\"source\":\"serial\",\"data\":\"one\"}\n"
            "{\"at\":\"1970-01-01T00:00:02.000000Z\",\"source\":\"agent\",\"data\":\"two\xef\xbf\xbd\"}\n"
            "{\"at\":\"1970-01-01T00:00:03.000000Z\",\"source\":\"serial\",\"data\":\"three\"}\n");
  EXPECT_EQ(*all->find("x-fusebox-log-next"), "3");
  EXPECT_EQ(rig.ask("GET", "/v1/vm/a/logs?from=3")->body, "");
  const auto some = rig.ask("GET", "/v1/vm/a/logs?source=serial,vmm&since=1970-01-01T00:00:02Z");
  EXPECT_EQ(some->body, "{\"at\":\"1970-01-01T00:00:03.000000Z\",\"source\":\"serial\",\"data\":\"three\"}\n");
}

TEST_F(AgentWire, AnArtifactIsSentByGrantOnceAndGoesOnFromTheMiddle) {
  const std::string bytes(3'000'000, 'f');
  const std::string digest = base::sha256(base::as_bytes(bytes)).hex();
  rig.provider.artifacts[digest] = bytes;
  const std::string path = "/v1/artifacts/" + digest;
  const auto grant = [&](const char* key) {
    return Headers{{"X-Fuse-Artifact-Grant", mint_grant(key, digest, rig.clock.wall(), rig.random)}};
  };
  EXPECT_EQ(rig.ask("GET", path, "", grant("other"))->status, 403);
  EXPECT_EQ(rig.ask("GET", path)->status, 403);  // the token is no grant
  const Headers good = grant(kToken);
  Headers from = good;
  from.push_back({"Range", "bytes=1000000000-"});
  EXPECT_EQ(rig.ask("GET", path, "", from)->status, 416);
  const auto whole = rig.ask("GET", path, "", good);
  ASSERT_EQ(whole->status, 200) << whole->body;
  EXPECT_EQ(*whole->find("x-fuse-artifact-digest"), digest);
  EXPECT_EQ(*whole->find("content-length"), std::to_string(whole->body.size()));
  EXPECT_EQ(whole->body, bytes);
  EXPECT_EQ(rig.ask("GET", path, "", good)->status, 403);  // spent
  Headers part = grant(kToken);
  part.push_back({"Range", "bytes=100-"});
  const auto rest = rig.ask("GET", path, "", part);
  EXPECT_EQ(rest->status, 206);
  EXPECT_EQ(rest->body, whole->body.substr(100));
  EXPECT_EQ(*rest->find("content-range"),
            "bytes 100-" + std::to_string(whole->body.size() - 1) + "/" + std::to_string(whole->body.size()));
  const std::string unknown(64, '0');
  const Headers other{{"X-Fuse-Artifact-Grant", mint_grant(kToken, unknown, rig.clock.wall(), rig.random)}};
  EXPECT_EQ(rig.ask("GET", "/v1/artifacts/" + unknown, "", other)->status, 404);
}

TEST_F(AgentWire, ASnapshotRepeatedUnderItsOperationIsTheSame) {
  rig.make("a");
  const Headers op{{"Authorization", std::string("Bearer ") + kToken}, {"X-Fusebox-Op", "op-1"}};
  const auto first = rig.ask("POST", "/v1/vm/a/snapshot", "{}", op);
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(rig.ask("POST", "/v1/vm/a/snapshot", "{}", op)->body, first->body);
  EXPECT_EQ(rig.ask("GET", "/v1/operations/op-1")->body,
            R"({"op":"op-1","state":"done","result":)" + first->body + "}");
  EXPECT_NE(rig.ask("POST", "/v1/vm/a/snapshot", "{}")->body, first->body);
}

TEST_F(AgentWire, CountsWhatItDoes) {
  rig.make("a");
  (void)rig.ask("GET", "/v1/vm/a");
  (void)rig.ask("GET", "/v1/vm/b");
  const auto text = rig.ask("GET", "/metrics")->body;
  for (const char* line :
       {"fusebox_host_vms{state=\"running\",backend=\"stub\"} 1\n",
        "fusebox_host_requests_total{route=\"GET /v1/vm/{id}\",code=\"200\"} 1\n",
        "fusebox_host_requests_total{route=\"GET /v1/vm/{id}\",code=\"404\"} 1\n",
        "fusebox_host_request_seconds_count{route=\"GET /v1/vm/{id}\"} 2\n", "fusebox_host_vm_memory_bytes{vm=\"a\"} "})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

}  // namespace
}  // namespace fusebox::host::test
