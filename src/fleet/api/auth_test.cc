// Who may call, from where, how often (contract 2).
#include <gmock/gmock.h>

#include "fleet/api/api_test_support.h"
#include "fleet/api/routes.h"

namespace fusebox::fleet::test {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

ApiServerOptions with(const std::function<void(ApiOptions&)>& change) {
  ApiServerOptions options;
  change(options.api);
  return options;
}

TEST(Authentication, TakesTheMasterToken) {
  ApiServer server;
  EXPECT_EQ(server.get("/v1/hosts").status, 200);
  const Received wrong = server.get("/v1/hosts", "wrong");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.code(), "unauthorized");
  EXPECT_EQ(wrong.message(), "invalid token");
  for (const char* value : {"Basic abc", "bearer x", "Bearer", "Bearer "}) {
    const Received bad = server.ask("GET", "/v1/hosts", {}, {{"Authorization", value}}, "");
    EXPECT_EQ(bad.status, 401) << value;
    EXPECT_EQ(bad.message(), "missing or malformed credentials") << value;
  }
  EXPECT_EQ(server.get("/v1/hosts", "").message(), "missing or malformed credentials");
}

TEST(Authentication, RecordsRefusals) {
  ApiServer server;
  server.ask("DELETE", "/v1/hosts/h1", {}, {{"X-Request-ID", "rid-7"}}, "wrong");
  std::vector<EventRow> rows;
  ASSERT_TRUE(http::test::comes_true([&] { return !(rows = server.audit("auth.failed")).empty(); }));
  EXPECT_EQ(rows.front().entity_id, "127.0.0.1");
  EXPECT_EQ(rows.front().payload_json, R"({"method":"DELETE","path":"/v1/hosts/h1","request_id":"rid-7"})");
}

TEST(Authentication, RecordsRefusalsWhileItStops) {
  ApiServer server;
  server.close();
  EXPECT_EQ(server.get("/v1/environments", "wrong").status, 401);
  EXPECT_TRUE(http::test::comes_true([&server] { return server.audit("auth.failed").size() == 1; }));
}

TEST(Authentication, InOpenModeLetsEverybodyIn) {
  ApiServer server(with([](ApiOptions& options) {
    options.master_token = "";
    options.open = true;
  }));
  EXPECT_EQ(server.get("/v1/hosts", "").status, 200);
  EXPECT_EQ(server.get("/v1/api-keys", "nonsense").status, 200);
  server.ask("DELETE", "/v1/environments/fuse-a", {}, {}, "");
  EXPECT_EQ(server.engine->last_info().caller.principal, "open");
}

TEST(Authentication, TakesKeysOnlyWhileTheyLive) {
  ApiServer server;
  const std::string key = server.add_key();
  const std::string id = server.last_key_id;
  EXPECT_EQ(server.get("/v1/hosts", key).status, 200);
  EXPECT_EQ(server.get("/v1/hosts", key + "x").status, 401);
  const std::string past = server.add_key([&server](ApiKeyRow& row) { row.expires_at = server.clock.wall() - 1s; });
  EXPECT_EQ(server.get("/v1/hosts", past).message(), "invalid token");
  const std::string revoked = server.add_key([&server](ApiKeyRow& row) { row.revoked_at = server.clock.wall(); });
  EXPECT_EQ(server.get("/v1/hosts", revoked).status, 401);
  // Revocation reaches what was remembered, on every loop.
  EXPECT_EQ(server.ask("DELETE", "/v1/api-keys/" + id).status, 204);
  for (int count = 0; count < 8; ++count) EXPECT_EQ(server.get("/v1/hosts", key).status, 401);
}

TEST(Authentication, LosesAKeyThatExpiresWhileItIsRemembered) {
  ApiServer server;
  const std::string key = server.add_key([&server](ApiKeyRow& row) { row.expires_at = server.clock.wall() + 300ms; });
  EXPECT_EQ(server.get("/v1/hosts", key).status, 200);
  EXPECT_TRUE(http::test::comes_true([&] { return server.get("/v1/hosts", key).status == 401; }));
}

TEST(Authentication, WritesTheLastUse) {
  ApiServer server;
  const std::string key = server.add_key();
  server.get("/v1/hosts", key);
  EXPECT_TRUE(http::test::comes_true(
      [&] { return server.get("/v1/api-keys").body.find("last_used_at") != std::string::npos; }));
}

struct RoleCase {
  const char *method, *target, *text;
};
constexpr RoleCase kMasterOnly[] = {
    {"POST", "/v1/environments/fuse-a?action=exec", "exec requires the master token"},
    {"GET", "/v1/environments/fuse-a/attach", "attach requires the master token"},
    {"GET", "/v1/environments/fuse-a/exec", "exec requires the master token"},
    {"POST", "/v1/api-keys", "API key management requires the master token"},
    {"POST", "/v1/hosts", "host registration requires the master token"},
    {"POST", "/v1/hosts/h?action=cordon", "host mutations require the master token"},
    {"DELETE", "/v1/hosts/h", "host removal requires the master token"},
};
TEST(Roles, OfTheReferenceAreKeptWordByWord) {
  ApiServer server;
  const std::string key = server.add_key();
  for (const RoleCase& c : kMasterOnly) {
    const Received refused = server.ask(c.method, c.target, "{}", {}, key);
    EXPECT_EQ(refused.status, 403) << c.target;
    EXPECT_EQ(refused.code(), "unauthorized");
    EXPECT_THAT(refused.message(), StartsWith(c.text)) << c.target;
  }
}

// Every route: without its scope 403, with it anything else.
TEST(Scopes, OpenTheirRoutesAndNoOthers) {
  ApiServer server;
  server.add_environment("fuse-a");
  std::map<std::string, std::string> keys;
  for (const RouteSpec& route : route_table()) {
    if (!route.act || route.access == Access::open) continue;
    const std::string scope(to_string(rule_of(*route.act).scope));
    if (!keys.contains(scope)) {
      keys[scope] = server.add_key([&scope](ApiKeyRow& row) { row.scopes = {scope}; });
    }
  }
  for (const RouteSpec& route : route_table()) {
    if (!route.act || route.access == Access::open || route.id == RouteId::events) continue;
    std::string target(route.pattern);
    if (const std::size_t at = target.find('{'); at != std::string::npos) {
      target.replace(at, target.find('}') - at + 1, "fuse-a");
    }
    if (!route.action.empty()) target += "?action=" + std::string(route.action);
    const std::string scope(to_string(rule_of(*route.act).scope));
    const char* const body = route.id == RouteId::create_key ? R"({"scopes":[]})" : "{}";
    for (const auto& [name, key] : keys) {
      const int status = server.ask(route.method, target, body, {}, key).status;
      EXPECT_EQ(status == 403, name != scope) << route.method << ' ' << target << " with " << name << ": " << status;
    }
  }
}

TEST(Tenants, SeeTheirOwnAlone) {
  ApiServer server;
  server.add_environment("fuse-mine", [](EnvironmentRow& row) { row.tenant_id = "t1"; });
  const EnvironmentRow theirs =
      server.add_environment("fuse-theirs", [](EnvironmentRow& row) { row.tenant_id = "t2"; });
  const std::string key = server.add_key([](ApiKeyRow& row) {
    row.tenant_id = "t1";
    row.scopes = {"*"};
  });
  EXPECT_EQ(server.get("/v1/environments/fuse-mine", key).status, 200);
  EXPECT_EQ(server.get("/v1/environments/fuse-theirs").status, 200) << "now remembered";
  for (const char* target :
       {"/v1/environments/fuse-theirs", "/v1/environments/fuse-theirs/events", "/v1/environments/fuse-theirs/logs"}) {
    const Received refused = server.get(target, key);
    EXPECT_EQ(refused.status, 404) << target;
    EXPECT_EQ(refused.message(), "vm fuse-theirs not found");
  }
  const std::string list = server.get("/v1/environments", key).body;
  EXPECT_THAT(list, HasSubstr("fuse-mine"));
  EXPECT_EQ(list.find("fuse-theirs"), std::string::npos);
  server.ask("DELETE", "/v1/environments/fuse-theirs", {}, {}, key);
  EXPECT_EQ(server.engine->last_info().caller.tenant, "t1") << "the engine decides with it";
  EXPECT_EQ(server.engine->last_info().caller.layer_scope, "t1");
  // Another tenant's past is nobody's business either.
  server.remove(theirs);
  const std::string last = "0000000000000001" + [&theirs] {
    std::string hex = base::to_hex(theirs.incarnation);
    return hex;
  }();
  EXPECT_EQ(server.get("/v1/environments/fuse-theirs/events?last_event_id=" + last, key).status, 404);
  EXPECT_EQ(server.get("/v1/environments/fuse-theirs/logs", key).status, 404);
  EXPECT_EQ(server.get("/v1/environments/fuse-theirs/logs").status, 200);
}

TEST(Tenants, SeeNothingOfWhatAnotherDidUnderANameTheyUsed) {
  ApiServer server;
  const auto lives = [&server](const std::string& tenant, const std::string& said) {
    EnvironmentRow row = server.add_environment("fuse-a", [&](EnvironmentRow& made) { made.tenant_id = tenant; });
    server.write([&](Tx& tx) -> base::Result<void> {
      tx.append_env_log("fuse-a", "boot", std::chrono::seconds{1'700'000'000}, said);
      return {};
    });
    server.remove(row);
    return "/v1/environments/fuse-a/events?last_event_id=0000000000000001" + base::to_hex(row.incarnation);
  };
  const auto key_of = [&server](std::string tenant) {
    return server.add_key([&](ApiKeyRow& row) {
      row.tenant_id = std::move(tenant);
      row.scopes = {"*"};
    });
  };
  const std::string first = key_of("t1");
  const std::string second = key_of("t2");
  const std::string logs = "/v1/environments/fuse-a/logs";
  const std::string events = lives("t1", "of the first");
  EXPECT_THAT(server.get(logs, first).body, HasSubstr("of the first")) << "no operation of it is left";
  EXPECT_THAT(server.get(events, first).body, HasSubstr("destroyed"));
  const std::string newer_events = lives("t2", "of the second");
  EXPECT_EQ(server.get(logs, first).status, 404);
  EXPECT_EQ(server.get(newer_events, first).status, 404);
  EXPECT_THAT(server.get(newer_events, second).body, HasSubstr("destroyed"));
  EXPECT_THAT(server.get(logs, second).body, HasSubstr("of the second"));
  EXPECT_EQ(server.get(logs, second).body.find("of the first"), std::string::npos);
}

TEST(Allowlist, RefusesOthers) {
  ApiServer server(with([](ApiOptions& options) {
    options.allowed_cidrs = "10.0.0.0/8";
    options.trusted_proxies = "127.0.0.0/8";
  }));
  const Received refused = server.get("/v1/hosts");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.code(), "forbidden");
  EXPECT_EQ(refused.message(), "source address not in allowlist");
  EXPECT_EQ(server.get("/v1/nothing").status, 403) << "before routes";
  EXPECT_EQ(server.get("/openapi.json").status, 403);
  EXPECT_EQ(server.ask("POST", "/login", "{}").status, 403);
  EXPECT_EQ(server.get("/health").status, 200);
  EXPECT_EQ(server.get("/ready").status, 200) << "loopback";
  EXPECT_EQ(server.get("/metrics").status, 200) << "loopback";
  const auto forwarded = [&server](const char* target, const char* chain) {
    return server.ask("GET", target, {}, {{"X-Forwarded-For", chain}}).status;
  };
  EXPECT_EQ(forwarded("/v1/hosts", "10.1.2.3"), 200);
  EXPECT_EQ(forwarded("/v1/hosts", "10.1.2.3, 8.8.8.8"), 403) << "the right-most that is no proxy counts";
  EXPECT_EQ(forwarded("/v1/hosts", "8.8.8.8, 10.1.2.3, 127.0.0.9"), 200);
  EXPECT_EQ(forwarded("/ready", "8.8.8.8"), 403);
  EXPECT_EQ(forwarded("/metrics", "8.8.8.8"), 403);
  EXPECT_EQ(forwarded("/v1/version", "8.8.8.8"), 200);
  EXPECT_TRUE(http::test::comes_true([&] { return !server.audit("ip.rejected").empty(); }));
}

TEST(Allowlist, IgnoresForwardedHeadersOfStrangers) {
  ApiServer server(with([](ApiOptions& options) { options.allowed_cidrs = "10.0.0.0/8"; }));
  EXPECT_EQ(server.ask("GET", "/v1/hosts", {}, {{"X-Forwarded-For", "10.1.2.3"}}).status, 403);
}

TEST(Allowlist, ThatCannotBeReadRefusesTheStart) {
  ApiServer server;
  base::RealClock clock;
  std::vector<http::Loop*> none;
  http::Loop loop(clock);
  none.push_back(&loop);
  ApiOptions options;
  options.allowed_cidrs = "10.0.0.0/99";
  const auto made = Api::create(
      {*server.engine, *server.store, server.metrics, server.logger, server.clock, server.random, none}, options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, base::Errc::invalid);
  EXPECT_THAT(made.error().message, HasSubstr("ORCH_ALLOWED_CIDRS"));
}

TEST(Limits, ShutOutAddressesThatFailTooOften) {
  ApiServer server(with([](ApiOptions& options) { options.trusted_proxies = "127.0.0.0/8"; }));
  const auto ask = [&server](std::string_view token) {
    return server.ask("GET", "/v1/hosts", {}, {{"X-Forwarded-For", "9.9.9.9"}}, token);
  };
  for (int count = 0; count < 60; ++count) ASSERT_EQ(ask("wrong").status, 401) << count;
  Received shut = ask("wrong");
  EXPECT_EQ(shut.status, 429);
  EXPECT_EQ(server.ask("POST", "/login", R"({"token":"wrong"})", {{"X-Forwarded-For", "9.9.9.9"}}, "").status, 429);
  EXPECT_EQ(shut.code(), "rate_limited");
  EXPECT_GT(std::stoi(shut.header("retry-after")), 0);
  EXPECT_EQ(ask(kMaster).status, 429) << "also with good credentials: a guesser must not learn of a hit";
  EXPECT_EQ(server.get("/v1/hosts").status, 200) << "others are not touched";
}

TEST(Limits, BoundTheRateOfACaller) {
  ApiServer server(with([](ApiOptions& options) { options.rate_limit_rps = 3; }));
  int limited = 0;
  Received last;
  for (int count = 0; count < 10; ++count) {
    last = server.get("/v1/hosts");
    if (last.status == 429) ++limited;
  }
  EXPECT_GT(limited, 0);
  const std::string key = server.add_key();
  EXPECT_EQ(server.get("/v1/hosts", key).status, 200) << "each caller has a rate of its own";
}

TEST(Limits, BoundLogins) {
  ApiServer server(with([](ApiOptions& options) { options.trusted_proxies = "127.0.0.0/8"; }));
  int last = 0;
  for (int count = 0; count < 11; ++count) {
    last = server.ask("POST", "/login", R"({"token":"wrong"})", {{"X-Forwarded-For", "9.9.9.9"}}, "").status;
    if (count < 10) {
      ASSERT_EQ(last, 401) << count;
    }
  }
  EXPECT_EQ(last, 429);
}

TEST(Login, GivesAnOpaqueCookieThatEndsWithLogout) {
  ApiServer server;
  Received login = server.ask("POST", "/login", R"({"token":")" + std::string(kMaster) + "\"}", {}, "");
  EXPECT_EQ(login.status, 204);
  const std::string cookie = login.header("set-cookie");
  EXPECT_THAT(cookie, MatchesRegex("fuse_session=[A-Za-z0-9_-]+; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"));
  EXPECT_EQ(cookie.find(kMaster), std::string::npos);
  const std::string pair = "other=1; " + cookie.substr(0, cookie.find(';'));
  const auto with_cookie = [&server, &pair] { return server.ask("GET", "/v1/hosts", {}, {{"Cookie", pair}}, ""); };
  EXPECT_EQ(with_cookie().status, 200);
  EXPECT_EQ(server.ask("GET", "/v1/hosts", {}, {{"Cookie", pair}}, "wrong").status, 401) << "a header wins";
  Received logout = server.ask("POST", "/logout", {}, {{"Cookie", pair}}, "");
  EXPECT_EQ(logout.status, 204);
  EXPECT_THAT(logout.header("set-cookie"), HasSubstr("Max-Age=0"));
  for (int count = 0; count < 4; ++count) EXPECT_EQ(with_cookie().status, 401);
  EXPECT_EQ(server.ask("POST", "/logout", {}, {}, "").status, 204) << "without credentials";
}

TEST(Login, RefusesOtherTokensAndBodies) {
  ApiServer server;
  const Received wrong = server.ask("POST", "/login", R"({"token":"x"})", {}, "");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.message(), "invalid token");
  EXPECT_EQ(server.ask("POST", "/login", "", {}, "").status, 400);
  EXPECT_EQ(server.ask("POST", "/login", std::string(4097, ' '), {}, "").status, 413);
  EXPECT_EQ(server.ask("GET", "/v1/hosts", {}, {{"Cookie", "fuse_session=guess"}}, "").status, 401);
  const std::string key = server.add_key();
  EXPECT_EQ(server.ask("POST", "/login", "{\"token\":\"" + key + "\"}", {}, "").status, 401) << "the master alone";
}

TEST(Login, WithoutAMasterTokenGivesNothing) {
  ApiServer server(with([](ApiOptions& options) { options.master_token = ""; }));
  Received login = server.ask("POST", "/login", "not even JSON", {}, "");
  EXPECT_EQ(login.status, 204);
  EXPECT_FALSE(login.headers.contains("set-cookie"));
}

TEST(Metrics, CanBeClosed) {
  ApiServer server(with([](ApiOptions& options) { options.metrics_auth = true; }));
  EXPECT_EQ(server.get("/metrics", "").status, 401);
  EXPECT_EQ(server.get("/metrics", server.add_key()).status, 403);
  EXPECT_EQ(server.get("/metrics", server.add_key([](ApiKeyRow& row) { row.scopes = {"metrics:read"}; })).status, 200);
  EXPECT_EQ(server.get("/metrics").status, 200);
}

}  // namespace
}  // namespace fusebox::fleet::test
