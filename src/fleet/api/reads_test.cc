// What is answered from the store alone: environments, snapshots, hosts, keys, operations, the audit log.
#include <gmock/gmock.h>

#include "fleet/api/api_test_support.h"

namespace fusebox::fleet::test {
namespace {

using ::testing::HasSubstr;

std::string string_of(const std::string& body, std::string_view key) {
  const auto document = base::json::parse(body);
  const base::json::Node* node = document ? document->root->find(key) : nullptr;
  return node != nullptr && node->is_string() ? node->string() : std::string();
}
std::vector<std::string> ids_of(const std::string& body, std::string_view list) {
  std::vector<std::string> ids;
  const auto document = base::json::parse(body);
  const base::json::Node* node = document ? document->root->find(list) : nullptr;
  if (node == nullptr) return {"not a list: " + body};
  for (const base::json::Node& item : node->elements()) {
    const base::json::Node* id = item.find("id");
    ids.push_back(id->is_string() ? id->string() : std::to_string(id->magnitude()));
  }
  return ids;
}
// All pages, by following next_cursor.
std::vector<std::string> walk(ApiServer& server, const std::string& target, std::string_view list) {
  std::vector<std::string> ids;
  std::string cursor;
  do {
    const Received page = server.get(target + (cursor.empty() ? "" : "&cursor=" + cursor));
    EXPECT_EQ(page.status, 200) << page.body;
    for (std::string& id : ids_of(page.body, list)) ids.push_back(std::move(id));
    cursor = string_of(page.body, "next_cursor");
  } while (!cursor.empty() && ids.size() < 1000);
  return ids;
}

TEST(Environments, AreAnsweredAsTheyAreNow) {
  ApiServer server;
  EnvironmentRow row = server.add_environment("fuse-a");
  const auto state = [&server] { return string_of(server.get("/v1/environments/fuse-a").body, "state"); };
  for (int count = 0; count < 4; ++count) EXPECT_EQ(state(), "running");
  row.state = EnvironmentState::draining;
  row.generation = 2;
  refresh_view(row);
  server.write([&row](Tx& tx) -> base::Result<void> {
    tx.update_environment(row, 1);
    return {};
  });
  for (int count = 0; count < 4; ++count) EXPECT_EQ(state(), "draining");
  row.generation = 3;
  server.write([](Tx& tx) -> base::Result<void> {
    tx.delete_environment("fuse-a", 2);
    return {};
  });
  const Received gone = server.get("/v1/environments/fuse-a");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.code(), "not_found");
  EXPECT_EQ(gone.message(), "vm fuse-a not found");
}

TEST(Environments, SayWhenTheirHostIsSilent) {
  ApiServer server;
  server.add_environment("fuse-a", [](EnvironmentRow& row) { row.host_id = "h1"; });
  server.add_environment("fuse-b");
  const char* targets[] = {"/v1/environments/fuse-a", "/v1/environments"};
  for (const char* target : targets) EXPECT_EQ(server.get(target).body.find("host_reachable"), std::string::npos);
  server.engine->hosts_reachable = false;
  for (const char* target : targets) {
    EXPECT_THAT(server.get(target).body, HasSubstr("\"host_reachable\":false"));
  }
  EXPECT_EQ(server.get("/v1/environments/fuse-b").body.find("host_reachable"), std::string::npos);
}

TEST(Environments, OfOlderRulesAreRenderedAnew) {
  ApiServer server;
  EnvironmentRow row;
  row.vm_id = "fuse-old";
  row.task_id = "old";
  row.view_json = R"({"old":"view"})";
  row.view_version = kViewVersion - 1;
  server.write([&row](Tx& tx) -> base::Result<void> {
    tx.insert_environment(row);
    return {};
  });
  EXPECT_EQ(string_of(server.get("/v1/environments/fuse-old").body, "id"), "fuse-old");
  EXPECT_EQ(ids_of(server.get("/v1/environments").body, "environments"), std::vector<std::string>{"fuse-old"});
}

TEST(Environments, AreListedInPages) {
  ApiServer server;
  EXPECT_EQ(server.get("/v1/environments").body, "{\"environments\":[]}\n");
  std::vector<std::string> all;
  for (int count = 10; count < 35; ++count) {
    all.push_back("fuse-" + std::to_string(count));
    server.add_environment(all.back());
  }
  EXPECT_EQ(walk(server, "/v1/environments?limit=7", "environments"), all);
  EXPECT_EQ(walk(server, "/v1/environments?limit=25", "environments"), all);
  EXPECT_EQ(string_of(server.get("/v1/environments?limit=25").body, "next_cursor"), "");
  EXPECT_EQ(ids_of(server.get("/v1/environments?task_id=12").body, "environments"),
            std::vector<std::string>{"fuse-12"});
  EXPECT_TRUE(ids_of(server.get("/v1/environments?state=draining").body, "environments").empty());
  EXPECT_TRUE(ids_of(server.get("/v1/environments?state=nonsense").body, "environments").empty());
  EXPECT_EQ(ids_of(server.get("/v1/environments?state=running&limit=2").body, "environments").size(), 2u);
  const Received bad = server.get("/v1/environments?cursor=!");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.message(), "invalid pagination cursor");
}

TEST(Create, KnowsThePinFromTheEngine) {
  ApiServer server;
  const Received unknown = server.ask("POST", "/v1/environments", R"({"task_id":"a","spec":{"host_id":"x"}})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.message(), R"(spec.host_id: host "x" is not registered)");
  EXPECT_EQ(server.ask("POST", "/v1/environments", R"({"task_id":"a","spec":{"host_id":"h1"}})").status, 200);
  EXPECT_EQ(server.engine->last_create().spec.host_id, "h1");
}

TEST(Create, IsReplayedAfterTheHostItWasPinnedToHasGone) {
  ApiServer server;
  const auto ask = [&server](std::vector<http::Header> headers) {
    return server.ask("POST", "/v1/environments", R"({"task_id":"a","spec":{"host_id":"gone"}})", std::move(headers));
  };
  EXPECT_EQ(ask({{"Idempotency-Key", "k"}}).status, 404) << "never asked before";
  server.engine->earlier = Outcome{201, R"({"id":"fuse-a"})", "", true};
  Received again = ask({{"Idempotency-Key", "k"}});
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.header("idempotency-replayed"), "true");
  EXPECT_EQ(ask({}).status, 404);
  EXPECT_TRUE(server.engine->calls().empty()) << "nothing was made";
}

SnapshotRow snapshot(std::string id, std::int64_t second) {
  SnapshotRow row;
  row.snapshot_id = std::move(id);
  row.vm_id = "fuse-a";
  row.mode = "manual";
  row.created_at = row.updated_at = std::chrono::seconds{1'700'000'000 + second};
  return row;
}

TEST(Snapshots, AreListedNewestFirst) {
  ApiServer server;
  server.write([](Tx& tx) -> base::Result<void> {
    for (int count = 0; count < 5; ++count) tx.insert_snapshot(snapshot("s" + std::to_string(count), count / 2));
    return {};
  });
  const std::vector<std::string> wanted = {"s4", "s3", "s2", "s1", "s0"};
  EXPECT_EQ(walk(server, "/v1/snapshots?limit=2", "snapshots"), wanted);
  EXPECT_EQ(server.get("/v1/snapshots/s1").status, 200);
  const Received unknown = server.get("/v1/snapshots/nobody");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.message(), "snapshot not found: nobody");
  EXPECT_EQ(server.get("/v1/snapshots?cursor=x").status, 400);
}

TEST(Snapshots, AreResolvedByLayer) {
  ApiServer server;
  EXPECT_EQ(server.get("/v1/snapshots/resolve?arch=amd64").message(), "layer_key is required");
  EXPECT_EQ(server.get("/v1/snapshots/resolve?layer_key=k").message(), "arch is required");
  EXPECT_EQ(server.get("/v1/snapshots/resolve?layer_key=k&arch=amd64").body, "{\"found\":false}\n");
  SnapshotRow row = snapshot("layer-1", 0);
  row.mode = "build";
  row.layer_key = "k";
  row.arch = "amd64";
  server.write([&row](Tx& tx) -> base::Result<void> {
    tx.insert_snapshot(row);
    return {};
  });
  const std::string found = server.get("/v1/snapshots/resolve?layer_key=k&arch=x86_64").body;
  EXPECT_THAT(found, HasSubstr(R"({"found":true,"snapshot":{"id":"layer-1")"));
  EXPECT_EQ(server.get("/v1/snapshots/resolve?layer_key=k&arch=amd64", server.add_key()).body, "{\"found\":false}\n")
      << "a key has a scope of its own";
}

TEST(Snapshots, ResolvingOneIsAUseThatIsWrittenNowAndThen) {
  ApiServer server;
  const base::Nanos now = std::chrono::floor<std::chrono::microseconds>(server.clock.wall());
  SnapshotRow fresh = snapshot("fresh", 0);
  fresh.mode = "build";
  fresh.layer_key = "fresh";
  fresh.arch = "amd64";
  fresh.last_used_at = now;  // less than half a minute ago
  SnapshotRow old = fresh;
  old.snapshot_id = old.layer_key = "old";
  old.last_used_at = now - std::chrono::seconds{31};
  server.write([&](Tx& tx) -> base::Result<void> {
    tx.insert_snapshot(fresh);
    tx.insert_snapshot(old);
    return {};
  });
  const auto last_used = [&server](const char* id) {
    WaitingExecutor executor;
    const auto row = executor.await(
        server.store->get<std::optional<SnapshotRow>>(executor, [id](Reader& reader) { return reader.snapshot(id); }));
    return row && *row ? (*row)->last_used_at : base::Nanos{0};
  };
  ASSERT_EQ(server.get("/v1/snapshots/resolve?layer_key=fresh&arch=amd64").status, 200);
  ASSERT_EQ(server.get("/v1/snapshots/resolve?layer_key=old&arch=amd64").status, 200);
  EXPECT_TRUE(http::test::comes_true([&] { return last_used("old") >= now; }));
  EXPECT_EQ(last_used("fresh"), now);
}

TEST(Snapshots, OfOtherTenantsAreNotThere) {
  ApiServer server;
  SnapshotRow row = snapshot("s1", 0);
  row.owner_tenant_id = "t2";
  server.write([&row](Tx& tx) -> base::Result<void> {
    tx.insert_snapshot(row);
    return {};
  });
  const std::string key = server.add_key([](ApiKeyRow& made) { made.tenant_id = "t1"; });
  EXPECT_EQ(server.get("/v1/snapshots/s1", key).status, 404);
  EXPECT_EQ(server.get("/v1/snapshots", key).body, "{\"snapshots\":[]}\n");
  EXPECT_EQ(server.get("/v1/snapshots/s1").status, 200);
}

TEST(Hosts, AreListedAndNeverShowTheirToken) {
  ApiServer server;
  server.write([](Tx& tx) -> base::Result<void> {
    for (const char* id : {"h1", "h2", "h3"}) tx.put_host(some_host(id));
    return {};
  });
  EXPECT_EQ(walk(server, "/v1/hosts?limit=1", "hosts"), (std::vector<std::string>{"h1", "h2", "h3"}));
  const std::string host = server.get("/v1/hosts/h2").body;
  EXPECT_EQ(string_of(host, "id"), "h2");
  EXPECT_EQ(host.find("token"), std::string::npos);
  const Received unknown = server.get("/v1/hosts/nobody");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.message(), "host nobody not found");
}

TEST(Hosts, ShowWhichOfTheirDevicesAreTaken) {
  ApiServer server;
  server.write([](Tx& tx) -> base::Result<void> {
    tx.put_host(some_host("h1"));
    tx.insert_environment(some_environment("fuse-a", "h1"));
    return {};
  });
  const std::string taken = R"("mig_profiles":{"1g.5gb":1},"mig_instance_uuids":["mig-1"]})";
  EXPECT_THAT(server.get("/v1/hosts/h1").body, HasSubstr(taken));
  EXPECT_THAT(server.get("/v1/hosts").body, HasSubstr(taken));
}

TEST(Hosts, AreChangedByTheEngine) {
  ApiServer server;
  EXPECT_EQ(server.ask("POST", "/v1/hosts/h1?action=cordon").status, 204);
  EXPECT_EQ(server.ask("POST", "/v1/hosts/h1?action=uncordon").status, 204);
  EXPECT_EQ(server.ask("POST", "/v1/hosts/h1?action=drain").status, 204);
  EXPECT_EQ(server.ask("POST", "/v1/hosts/h1?action=drain", R"({"evict":true,"timeout_seconds":5})").status, 204);
  EXPECT_EQ(server.ask("POST", "/v1/hosts/h1?action=heartbeat", "{}").status, 204);
  EXPECT_EQ(server.ask("DELETE", "/v1/hosts/h1").status, 204);
  const std::vector<std::string> wanted = {
      "cordon h1", "uncordon h1", "drain_host h1 keep 600", "drain_host h1 evict 5", "heartbeat h1", "remove_host h1"};
  EXPECT_EQ(server.engine->calls(), wanted);
  EXPECT_THAT(server.ask("POST", "/v1/hosts?action=explain", R"({"spec":{"cpus":2}})").body,
              HasSubstr("is cordoned, not active"));
}

TEST(Keys, AreShownOnceAndListedNewestFirst) {
  ApiServer server;
  const Received first = server.ask("POST", "/v1/api-keys", R"({"label":"one"})");
  EXPECT_EQ(first.status, 201);
  const std::string key = string_of(first.body, "key");
  EXPECT_EQ(key.size(), 51u);
  EXPECT_EQ(server.get("/v1/hosts", key).status, 200);
  EXPECT_THAT(first.body, HasSubstr(R"("scopes":["env:read")"));
  const std::string id = string_of(first.body, "id");
  const std::string second = string_of(server.ask("POST", "/v1/api-keys", R"({"expires_in_seconds":60})").body, "id");
  const std::string list = server.get("/v1/api-keys").body;
  EXPECT_EQ(list.find(key), std::string::npos);
  EXPECT_EQ(ids_of(list, "api_keys"), (std::vector<std::string>{second, id}));
  EXPECT_EQ(walk(server, "/v1/api-keys?limit=1", "api_keys"), (std::vector<std::string>{second, id}));
  EXPECT_EQ(server.ask("DELETE", "/v1/api-keys/" + id).status, 204);
  const std::string revoked_list = server.get("/v1/api-keys").body;
  EXPECT_THAT(revoked_list, HasSubstr("revoked_at"));
  EXPECT_EQ(server.ask("DELETE", "/v1/api-keys/" + id).status, 204) << "repeatable";
  EXPECT_EQ(server.get("/v1/api-keys").body.find("revoked_at\":\""), revoked_list.find("revoked_at\":\""));
  const Received unknown = server.ask("DELETE", "/v1/api-keys/ak_0");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.message(), "api key not found");
  EXPECT_EQ(server.audit("key.created").size(), 2u);
  EXPECT_EQ(server.audit("key.revoked").size(), 1u);
}

TEST(Keys, MintNothingBeyondThemselves) {
  ApiServer server;
  const std::string admin = server.add_key([](ApiKeyRow& row) {
    row.scopes = {"key:admin", "env:read"};
    row.tenant_id = "t1";
  });
  const auto mint = [&](std::string_view body) { return server.ask("POST", "/v1/api-keys", body, {}, admin); };
  EXPECT_EQ(mint(R"({"scopes":["env:read"]})").status, 201);
  EXPECT_THAT(mint(R"({"scopes":["env:read"]})").body, HasSubstr(R"("tenant_id":"t1")"));
  EXPECT_EQ(mint(R"({"scopes":["env:read"],"tenant_id":"t1"})").status, 201);
  EXPECT_EQ(mint(R"({"scopes":["env:write"]})").status, 403);
  EXPECT_EQ(mint(R"({"scopes":["*"]})").status, 403);
  EXPECT_EQ(mint("{}").status, 403) << "the default scopes are more";
  EXPECT_EQ(mint(R"({"scopes":["env:read"],"tenant_id":"t2"})").status, 403);
  EXPECT_EQ(mint(R"({"scopes":["no:such"]})").status, 400);
  server.add_key();
  const std::string foreign = server.last_key_id;
  EXPECT_EQ(server.ask("DELETE", "/v1/api-keys/" + foreign, {}, {}, admin).status, 404);
  EXPECT_EQ(server.get("/v1/api-keys", admin).body.find(foreign), std::string::npos);
}

TEST(Keys, HeedIdempotencyKeys) {
  ApiServer server;
  const auto mint = [&server](std::string_view body) {
    return server.ask("POST", "/v1/api-keys", body, {{"Idempotency-Key", "once"}});
  };
  const Received first = mint(R"({"label":"a"})");
  Received again = mint(R"( {"label":"a"} )");
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.header("idempotency-replayed"), "true");
  EXPECT_EQ(string_of(again.body, "id"), string_of(first.body, "id"));
  EXPECT_EQ(string_of(again.body, "key"), "") << "it is shown once";
  const Received other = mint(R"({"label":"b"})");
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(other.code(), "conflict");
  EXPECT_EQ(ids_of(server.get("/v1/api-keys").body, "api_keys").size(), 1u);
}

TEST(Keys, AreRecordedUnderIdsThatGrowWithTime) {
  ApiServer server;
  const base::Nanos before = server.clock.wall() - 1s;
  ASSERT_EQ(server.ask("POST", "/v1/api-keys", "{}", {{"Idempotency-Key", "k"}}).status, 201);
  const std::vector<std::string> ids = ids_of(server.get("/v1/operations").body, "operations");
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_GT(ids.front(), new_operation_id(before, server.random));
  EXPECT_LT(ids.front(), new_operation_id(server.clock.wall() + 1s, server.random)) << "the retention goes by them";
}

TEST(Records, AreReadInPages) {
  ApiServer server;
  server.write([](Tx& tx) -> base::Result<void> {
    for (int count = 0; count < 5; ++count) {
      OperationRow operation = some_operation("op_" + std::to_string(count), "fuse-" + std::to_string(count));
      operation.tenant_id = count == 0 ? "t1" : "";
      tx.insert_operation(operation);
      tx.add_event({0, "vm", "fuse-" + std::to_string(count), "vm.running", R"({"n":1})", base::Nanos{1'000'000}});
      DeadLetterRow letter;
      letter.kind = "stuck_task";
      letter.entity_id = "fuse-" + std::to_string(count);
      letter.first_seen_at = letter.last_seen_at = base::Nanos{1'000'000};
      tx.put_dead_letter(letter);
    }
    return {};
  });
  EXPECT_EQ(walk(server, "/v1/operations?limit=2", "operations"),
            (std::vector<std::string>{"op_4", "op_3", "op_2", "op_1", "op_0"}));
  EXPECT_EQ(walk(server, "/v1/operations?limit=2&state=running&kind=create", "operations").size(), 5u);
  EXPECT_EQ(ids_of(server.get("/v1/operations?state=done").body, "operations").size(), 0u);
  EXPECT_EQ(ids_of(server.get("/v1/operations?kind=fork").body, "operations").size(), 0u);
  EXPECT_EQ(ids_of(server.get("/v1/operations?vm_id=fuse-3").body, "operations"), std::vector<std::string>{"op_3"});
  EXPECT_EQ(string_of(server.get("/v1/operations/op_3").body, "kind"), "create");
  EXPECT_EQ(server.get("/v1/operations/op_9").status, 404);
  EXPECT_EQ(walk(server, "/v1/audit?event_type=vm.running&limit=2", "events").size(), 5u);
  EXPECT_EQ(ids_of(server.get("/v1/audit?entity_id=fuse-2").body, "events").size(), 1u);
  EXPECT_EQ(server.get("/v1/audit?since=yesterday").status, 400);
  EXPECT_EQ(ids_of(server.get("/v1/audit?entity_type=vm&since=2020-01-01T00:00:00Z").body, "events").size(), 0u);
  const auto letters = walk(server, "/v1/dead-letters?limit=2", "dead_letters");
  ASSERT_EQ(letters.size(), 5u);
  EXPECT_EQ(server.ask("POST", "/v1/dead-letters/" + letters[1] + "?action=ack").status, 204);
  EXPECT_EQ(server.ask("POST", "/v1/dead-letters/999?action=ack").status, 404);
  EXPECT_EQ(server.ask("POST", "/v1/dead-letters/x?action=ack").status, 404);
  // A tenant sees its own operations and nothing of what names others.
  const std::string key = server.add_key([](ApiKeyRow& row) {
    row.tenant_id = "t1";
    row.scopes = {"audit:read"};
  });
  EXPECT_EQ(ids_of(server.get("/v1/operations", key).body, "operations"), std::vector<std::string>{"op_0"});
  EXPECT_EQ(server.get("/v1/operations/op_1", key).status, 404);
  EXPECT_EQ(server.get("/v1/audit", key).body, "{\"events\":[]}\n");
  EXPECT_EQ(server.get("/v1/dead-letters", key).body, "{\"dead_letters\":[]}\n");
}

}  // namespace
}  // namespace fusebox::fleet::test
