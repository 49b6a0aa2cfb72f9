// The frame: what happens to a request before and after its handler (contract 1).
#include "fleet/api/api.h"

#include <gmock/gmock.h>

#include "fleet/api/api_test_support.h"

namespace fusebox::fleet::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST(Api, AnswersOpenRoutesWithoutCredentials) {
  ApiServer server;
  Received health = server.get("/health", "");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "{\"status\":\"ok\"}\n");
  EXPECT_EQ(health.header("server"), "fuse-orchestrator/1.0");
  EXPECT_FALSE(health.headers.contains("x-request-id"));
  const Received ready = server.get("/ready", "");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"status":"ready","checks":{"state_store":"ok","fleet":"ok","leader":"self"}})"
                        "\n");
  const Received version = server.get("/v1/version", "");
  EXPECT_EQ(
      version.body,
      R"({"service":"fuse-orchestrator","version":"1.0","product":"fusebox","product_version":"9.9","features":[]})"
      "\n");
}

TEST(Api, CleansPathsFirst) {
  ApiServer server;
  Received moved = server.ask("POST", "/v1//environments/../environments?a=b", "{}", {}, "");
  EXPECT_EQ(moved.status, 307);
  EXPECT_EQ(moved.header("location"), "/v1/environments?a=b");
}

TEST(Api, TellsUnknownRoutesAndMethodsWithoutCredentials) {
  ApiServer server;
  const Received unknown = server.get("/v1/nothing", "");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.code(), "route_not_found");
  EXPECT_EQ(unknown.message(), "no such route: GET /v1/nothing");
  EXPECT_EQ(server.get("/v1/environments/", "").code(), "route_not_found") << "a slash at the end does not match";
  Received method = server.ask("PATCH", "/v1/environments", "", {}, "");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.code(), "method_not_allowed");
  EXPECT_EQ(method.header("allow"), "GET, HEAD, POST");
}

TEST(Api, KeepsOrMakesTheRequestId) {
  ApiServer server;
  EXPECT_EQ(server.ask("GET", "/v1/hosts", {}, {{"X-Request-ID", "my_Id-1"}}).header("x-request-id"), "my_Id-1");
  for (const char* bad : {"has space", "semi;colon", ""}) {
    EXPECT_THAT(server.ask("GET", "/v1/hosts", {}, {{"X-Request-ID", bad}}).header("x-request-id"),
                MatchesRegex("req_[0-9a-f]+"))
        << bad;
  }
  EXPECT_EQ(server.ask("GET", "/v1/hosts", {}, {{"X-Request-ID", std::string(128, 'a')}}).header("x-request-id"),
            std::string(128, 'a'));
  EXPECT_THAT(server.ask("GET", "/v1/hosts", {}, {{"X-Request-ID", std::string(129, 'a')}}).header("x-request-id"),
              StartsWith("req_"));
  EXPECT_THAT(server.get("/v1/nothing", "").header("x-request-id"), StartsWith("req_"));
}

TEST(Api, RefusesBodiesOverTheLimitOfTheirRoute) {
  ApiServer server;
  const std::string exec = "/v1/environments/fuse-a?action=exec";
  const Received large = server.ask("POST", exec, std::string(1024 * 1024 + 1, ' '));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.code(), "payload_too_large");
  EXPECT_EQ(large.message(), "request body exceeds the 1048576 byte limit for this endpoint");
  EXPECT_EQ(server.ask("POST", exec, std::string(1024 * 1024, ' ')).status, 400) << "exactly the limit is read";
  EXPECT_EQ(server.ask("POST", "/v1/api-keys", std::string(65537, ' ')).status, 413);
  const Received computer = server.ask("POST", "/v1/environments/fuse-a/computer", std::string(1024 * 1024 + 1, ' '));
  EXPECT_EQ(computer.message(), "computer action body too large");
}

TEST(Api, CountsChunkedBodies) {
  ApiServer server;
  Talk talk(server.port());
  talk.send("POST", "/v1/api-keys",
            {{"Authorization", "Bearer " + std::string(kMaster)}, {"Transfer-Encoding", "chunked"}}, {}, false);
  const std::string piece = "4000\r\n" + std::string(0x4000, ' ') + "\r\n";
  for (int count = 0; count < 5; ++count) talk.raw().say(piece);
  talk.raw().say("0\r\n\r\n");
  EXPECT_EQ(talk.receive().status, 413);
}

TEST(Api, RefusesMalformedJson) {
  ApiServer server;
  const std::string deep(5000, '[');
  for (const std::string& body : {std::string("{"), std::string("{\"task_id\":\"\xff\"}"), deep, std::string("[]"),
                                  std::string("{\"task_id\":1}"), std::string("nul"), std::string("\"text\"")}) {
    const Received answer = server.ask("POST", "/v1/environments", body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 40);
    EXPECT_EQ(answer.code(), "invalid_argument") << body.substr(0, 40);
    EXPECT_THAT(answer.message(), StartsWith("invalid JSON body: ")) << body.substr(0, 40);
  }
  EXPECT_EQ(server.ask("POST", "/v1/environments", "").status, 400);
  EXPECT_TRUE(server.engine->calls().empty());
}

TEST(Api, TakesAnAbsentOptionalBodyForAnEmptyObject) {
  ApiServer server;
  EXPECT_EQ(server.ask("POST", "/v1/environments/fuse-a?action=fork", "").status, 200);
  EXPECT_EQ(server.ask("POST", "/v1/environments/fuse-a/snapshots", "").status, 200);
  EXPECT_EQ(server.ask("POST", "/v1/api-keys", "").status, 201);
}

TEST(Api, RefusesUnknownActions) {
  ApiServer server;
  for (const char* target : {"/v1/environments/fuse-a", "/v1/environments/fuse-a?action=dance",
                             "/v1/snapshots/s?action=", "/v1/hosts/h?action=dance"}) {
    const Received answer = server.ask("POST", target, "{}");
    EXPECT_EQ(answer.status, 400) << target;
    EXPECT_EQ(answer.message(), "missing or unknown action query parameter");
  }
  // Who may not change hosts is not told which actions there are.
  const std::string key = server.add_key();
  EXPECT_EQ(server.ask("POST", "/v1/hosts/h?action=dance", "{}", {}, key).status, 403);
  EXPECT_EQ(server.ask("POST", "/v1/environments/fuse-a?action=dance", "{}", {}, key).status, 400);
}

TEST(Api, DecodesIdsOnceAfterRouting) {
  ApiServer server;
  server.ask("DELETE", "/v1/environments/fuse-a%3Ab%2B%40%2Fc%2520");
  EXPECT_THAT(server.engine->calls(), Contains("destroy fuse-a:b+@/c%20"));
}

TEST(Api, AnswersWhatTheEngineSays) {
  ApiServer server;
  server.engine->answer_with({202, R"({"id":"fuse-x"})", "/v1/environments/fuse-x", true});
  Received answer = server.ask("POST", "/v1/environments", R"({"task_id":"x"})",
                               {{"Prefer", "respond-async"}, {"Idempotency-Key", "key-1"}});
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, "{\"id\":\"fuse-x\"}\n");
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_EQ(answer.header("location"), "/v1/environments/fuse-x");
  EXPECT_EQ(answer.header("idempotency-replayed"), "true");
  const RequestInfo info = server.engine->last_info();
  EXPECT_TRUE(info.respond_async);
  EXPECT_EQ(info.idempotency_key, "key-1");
  EXPECT_EQ(info.route, "POST /v1/environments");
  EXPECT_EQ(info.caller.principal, "master");
  EXPECT_EQ(server.engine->last_create().task_id, "x");
}

TEST(Api, ARefusalThatIsReplayedSaysWhenToTryAgain) {
  ApiServer server;
  server.engine->answer_with({503, R"({"error":{"code":"unavailable","message":"no room"}})", "", true});
  Received answer = server.ask("POST", "/v1/environments", R"({"task_id":"x"})", {{"Idempotency-Key", "key-1"}});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("retry-after"), "1");
}

TEST(Api, HashesBodiesByWhatTheyMean) {
  ApiServer server;
  const auto hash = [&server](std::string_view body) {
    server.ask("POST", "/v1/environments", body, {{"Idempotency-Key", "k"}});
    return server.engine->last_info().body_hash;
  };
  const base::Bytes first = hash(R"({"task_id":"a","spec":{"cpus":1,"ram_mb":2}})");
  EXPECT_EQ(first, hash(R"( {"spec":{"ram_mb":2, "cpus":1},"task_id":"a"} )"));
  EXPECT_NE(first, hash(R"({"task_id":"b","spec":{"cpus":1,"ram_mb":2}})"));
}

TEST(Api, RefusesBadIdempotencyKeys) {
  ApiServer server;
  for (const std::string& key : {std::string("a b"), std::string(129, 'k'), std::string("k;")}) {
    EXPECT_EQ(server.ask("POST", "/v1/environments", R"({"task_id":"a"})", {{"Idempotency-Key", key}}).status, 400);
  }
  EXPECT_TRUE(server.engine->calls().empty());
}

TEST(Api, PutsErrorsIntoTheEnvelope) {
  ApiServer server;
  server.engine->fail_with(
      refuse(503, "no host has sufficient capacity: need 1CPU", Details{{"vm_id", "fuse-x"}}).error());
  Received answer = server.ask("POST", "/v1/environments", R"({"task_id":"x"})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"error":{"code":"unavailable","message":"no host has sufficient capacity: need 1CPU",)"
                         R"("details":{"vm_id":"fuse-x"}}})"
                         "\n");
  EXPECT_EQ(answer.header("retry-after"), "1");
  server.engine->fail_with(base::Error{base::Errc::io, "/var/lib/secret-path: disk full", {}, nullptr});
  const Received internal = server.ask("POST", "/v1/environments", R"({"task_id":"x"})");
  EXPECT_EQ(internal.status, 500);
  EXPECT_EQ(internal.code(), "internal");
  EXPECT_EQ(internal.message(), "internal error");
}

// Which of the two would hold? Readers on the way may have decided otherwise: neither does.
TEST(Api, RefusesBodiesThatNameAKeyTwice) {
  ApiServer server;
  server.add_environment("fuse-a");
  struct Case {
    const char *method, *target, *body;
    const char* key;
    int column;
  };
  constexpr Case kCases[] = {
      {"POST", "/v1/environments", R"({"task_id":"x","task_id":"y"})", "task_id", 16},
      {"POST", "/v1/environments", R"({"task_id":"x","spec":{"cpus":1,"cpus":64}})", "cpus", 33},
      {"POST", "/v1/environments", R"({"task_id":"x","secrets":{"A":"1","A":"2"}})", "A", 35},
      {"POST", "/v1/environments", R"({"task_id":"x","task\u005fid":"y"})", "task_id", 16},
      {"POST", "/v1/environments", R"({"task_id":"x","unknown":[{"a":1,"a":1}]})", "a", 34},
      {"POST", "/v1/environments/fuse-a?action=exec", R"({"cmd":["a"],"cmd":["b"]})", "cmd", 14},
      {"POST", "/v1/environments/fuse-a?action=fork", R"({"comment":"a","comment":"b"})", "comment", 16},
      {"POST", "/v1/environments/fuse-a/snapshots", R"({"comment":"a","comment":"b"})", "comment", 16},
      {"PUT", "/v1/environments/fuse-a/secrets", R"({"secrets":{},"secrets":{"A":"1"}})", "secrets", 15},
      {"POST", "/v1/hosts", R"({"id":"h","id":"g"})", "id", 11},
      {"POST", "/v1/hosts/h?action=drain", R"({"evict":false,"evict":true})", "evict", 16},
      {"POST", "/v1/api-keys", R"({"scopes":["read"],"scopes":["*"]})", "scopes", 20},
      {"POST", "/login", R"({"token":"a","token":"b"})", "token", 14},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::string(c.target) + " " + c.body);
    const Received answer = server.ask(c.method, c.target, c.body);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.code(), "invalid_argument");
    EXPECT_EQ(answer.message(), "invalid JSON body: line 1, column " + std::to_string(c.column) + ": key \"" + c.key +
                                    "\" is given twice; each key may stand once in an object");
  }
}

TEST(Api, LogsOneLineForWritesAndRefusals) {
  ApiServer server;
  server.get("/v1/hosts");
  server.ask("DELETE", "/v1/environments/fuse-a", {}, {{"X-Request-ID", "rid-1"}});
  server.get("/v1/environments/nobody");
  // A line is written once its answer is on its way.
  ASSERT_TRUE(http::test::comes_true([&server] {
    const std::lock_guard guard(server.lines_mutex);
    return server.lines.size() == 2;
  }));
  const std::lock_guard lock(server.lines_mutex);
  for (const char* part : {R"("request_id":"rid-1")", R"("vm_id":"fuse-a")", R"("method":"DELETE")",
                           R"("route":"/v1/environments/{vmId}")", R"("status":204)", "duration_us"}) {
    EXPECT_THAT(server.lines[0], HasSubstr(part));
  }
  EXPECT_THAT(server.lines[1], HasSubstr(R"("status":404)"));
}

TEST(Api, CountsRequestsByRoute) {
  ApiServer server;
  server.get("/v1/environments/nobody");
  server.get("/v1/nowhere");
  server.get("/v1/hosts", "");
  server.ask("PATCH", "/v1/hosts");
  server.ask("BREW", "/v1/hosts");
  std::string text;
  ASSERT_TRUE(http::test::comes_true([&server, &text] {
    text = server.get("/metrics", "").body;
    return text.find("orchestrator_http_requests_in_flight 0") != std::string::npos;
  }));
  for (const char* line :
       {R"(orchestrator_http_requests_total{route="/v1/environments/{vmId}",method="GET",code="404"} 1)",
        R"(orchestrator_http_requests_total{route="unknown",method="GET",code="404"} 1)",
        R"(orchestrator_http_requests_total{route="/v1/hosts",method="GET",code="401"} 1)",
        R"(orchestrator_http_requests_total{route="/v1/hosts",method="other",code="405"} 1)",
        R"(orchestrator_http_request_duration_seconds_count{route="/v1/environments/{vmId}",method="GET"} 1)",
        "orchestrator_http_requests_in_flight 0", R"(orchestrator_auth_failures_total{reason="missing"} 1)",
        "orchestrator_sse_subscribers 0", "process_open_fds"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Api, ServesItsDocument) {
  ApiServer server;
  const Received json = server.get("/openapi.json", "");
  EXPECT_EQ(json.status, 200);
  EXPECT_TRUE(base::json::parse(json.body));
  Received yaml = server.get("/openapi.yaml", "");
  EXPECT_EQ(yaml.header("content-type"), "application/yaml");
  EXPECT_THAT(yaml.body, StartsWith("\"openapi\": \"3.0.3\"\n"));
}

TEST(Api, IsNotReadyOnceItCloses) {
  ApiServer server;
  server.close();
  const Received ready = server.get("/ready", "");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr(R"("status":"not_ready")"));
}

TEST(Api, AnswersHeadWithoutABody) {
  ApiServer server;
  Talk talk(server.port());
  talk.send("HEAD", "/health", {{"Connection", "close"}}, {});
  EXPECT_EQ(talk.head().status, 200);
  EXPECT_EQ(talk.raw().until_closed(), "");
}

}  // namespace
}  // namespace fusebox::fleet::test
