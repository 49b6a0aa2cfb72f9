#include "cli/fleet/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/fleet/exit_status.h"
#include "support/http_test_server.h"

namespace fusebox::cli::fleet {
namespace {

using fusebox::testing::HttpTestServer;
using fusebox::testing::response;
using fusebox::testing::SeenRequest;
using fusebox::testing::TestConnection;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string envelope(const char* code, const char* message) {
  return std::string(R"({"error":{"code":")") + code + R"(","message":")" + message +
         R"(","details":{"vm_id":"fuse-a"}}})" + "\n";
}

class FleetApi : public ::testing::Test {
 protected:
  ServerAddress address(std::uint16_t port) const {
    return {"http://127.0.0.1:" + std::to_string(port), "secret-token", ""};
  }
  base::RealClock clock_;
};

TEST_F(FleetApi, SendsTokenBodyAndEncodedPath) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) { return to.write(response(201, "", "{}")); });
  ApiClient api(clock_, address(server.port()));
  ApiRequest request{.method = "POST", .path = api_path({"v1", "environments", "a/b:c"}), .query = {{"x", "1 2&3"}}};
  request.json = "{}";
  const auto reply = api.call(std::move(request));
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->status, 201);
  const SeenRequest seen = server.seen().at(0);
  EXPECT_EQ(seen.target, "/v1/environments/a%2Fb%3Ac?x=1%202%263");
  EXPECT_EQ(seen.header("Authorization"), "Bearer secret-token");
  EXPECT_EQ(seen.header("Content-Type"), "application/json");
  EXPECT_THAT(seen.header("User-Agent"), HasSubstr("fusebox-cli/"));
  EXPECT_EQ(seen.body, "{}");
}

struct StatusCase {
  int http;
  const char* code;
  int status;
};

TEST_F(FleetApi, ErrorsHaveASentenceACodeAndAnExitStatus) {
  const StatusCase cases[] = {{400, "invalid_argument", kFailed},  {401, "unauthorized", kRefused},
                              {403, "forbidden", kRefused},        {404, "not_found", kNotFound},
                              {404, "route_not_found", kFailed},   {409, "conflict", kConflict},
                              {429, "rate_limited", kUnavailable}, {500, "internal", kFailed},
                              {501, "unimplemented", kFailed},     {503, "unavailable", kUnavailable}};
  for (const StatusCase& c : cases) {
    SCOPED_TRACE(c.http);
    HttpTestServer server([&c](const SeenRequest&, TestConnection& to) {
      return to.write(response(c.http, "X-Request-ID: req_7\r\n", envelope(c.code, "what is wrong")));
    });
    ApiClient api(clock_, address(server.port()));
    const auto reply = api.call({.method = "POST", .path = "/v1/x"});
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(exit_status(reply.error()), c.status);
    EXPECT_THAT(failure_text(reply.error()),
                AllOf(HasSubstr("what is wrong\n" + std::string(c.code) + " (HTTP " + std::to_string(c.http) +
                                "), request req_7\nvm_id: fuse-a"),
                      Not(HasSubstr("secret-token"))));
  }
}

TEST_F(FleetApi, AnAnswerThatIsNoEnvelopeIsShownShort) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) {
    return to.write(response(502, "", "<html>" + std::string(5000, 'x')));
  });
  ApiClient api(clock_, address(server.port()));
  const auto reply = api.call({.path = "/v1/x"});
  ASSERT_FALSE(reply.has_value());
  EXPECT_THAT(reply.error().message, HasSubstr("the server answered 502: <html>xxx"));
  EXPECT_LT(reply.error().message.size(), 300u);
}

TEST_F(FleetApi, OnlyGetsAreRepeatedAndOnlyWhenTheServerSaysWhen) {
  int asked = 0;
  HttpTestServer server([&asked](const SeenRequest& request, TestConnection& to) {
    const bool busy = ++asked < 3;
    const char* when = request.target == "/when"   ? "Retry-After: 0\r\n"
                       : request.target == "/late" ? "Retry-After: 60\r\n"
                                                   : "";
    return to.write(busy ? response(503, when, envelope("unavailable", "busy")) : response(200, "", "{}"));
  });
  ApiClient api(clock_, address(server.port()));
  EXPECT_TRUE(api.call({.path = "/when"}).has_value());
  EXPECT_EQ(asked, 3);
  asked = 0;
  EXPECT_FALSE(api.call({.method = "POST", .path = "/when"}).has_value());
  EXPECT_FALSE(api.call({.path = "/never"}).has_value());
  EXPECT_EQ(asked, 2);
  asked = 0;
  EXPECT_FALSE(api.call({.path = "/late"}).has_value());
  EXPECT_EQ(asked, 1);
}

TEST_F(FleetApi, RepetitionsEnd) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) {
    return to.write(response(503, "Retry-After: 0\r\n", envelope("unavailable", "busy")));
  });
  ApiClient api(clock_, address(server.port()));
  const auto reply = api.call({.path = "/v1/x"});
  EXPECT_EQ(exit_status(reply.error()), kUnavailable);
  EXPECT_EQ(server.seen().size(), static_cast<std::size_t>(kRepeatsMax) + 1);
}

TEST_F(FleetApi, NobodyThereNamesTheServer) {
  std::uint16_t port = 0;
  {
    HttpTestServer server([](const SeenRequest&, TestConnection&) { return false; });
    port = server.port();
  }
  ApiClient api(clock_, address(port));
  const auto reply = api.call({.path = "/v1/x"});
  ASSERT_FALSE(reply.has_value());
  EXPECT_THAT(reply.error().message, HasSubstr("http://127.0.0.1:" + std::to_string(port)));
  EXPECT_EQ(exit_status(reply.error()), kFailed);
}

TEST_F(FleetApi, AStreamEndsWhenEnoughWhenQuietAndAtItsTime) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) {
    to.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
    to.wait_for_client_to_close();
    return false;
  });
  std::string got;
  const auto take = [&got](const ApiReply&, std::string_view piece) -> base::Result<Flow> {
    got += piece;
    return got.find("two") == got.npos ? Flow::go_on : Flow::enough;
  };
  ApiClient api(clock_, address(server.port()));
  EXPECT_TRUE(api.stream({.path = "/s"}, take).has_value());
  EXPECT_EQ(got, "onetwo");
  const auto keep = [](const ApiReply&, std::string_view) -> base::Result<Flow> { return Flow::go_on; };
  EXPECT_TRUE(api.stream({.path = "/s"}, keep, {.until = {}, .quiet = std::chrono::milliseconds(30)}).has_value());
  const auto late =
      api.stream({.path = "/s"}, keep, {.until = clock_.monotonic() + std::chrono::milliseconds(30), .quiet = {}});
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(exit_status(late.error()), kTimedOut);
}

TEST_F(FleetApi, AStreamThatIsRefusedIsAnError) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) {
    return to.write(response(404, "", envelope("not_found", "vm not found: x")));
  });
  ApiClient api(clock_, address(server.port()));
  bool called = false;
  const auto reply = api.stream({.path = "/s"}, [&called](const ApiReply&, std::string_view) -> base::Result<Flow> {
    called = true;
    return Flow::go_on;
  });
  EXPECT_EQ(exit_status(reply.error()), kNotFound);
  EXPECT_FALSE(called);
}

TEST_F(FleetApi, AnUpgradeThatIsRefusedIsAnError) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) {
    return to.write(response(501, "", envelope("unimplemented", "attach is not supported")));
  });
  ApiClient api(clock_, address(server.port()));
  const auto stream = api.upgrade({.path = "/s"}, "fuse-attach/1");
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().message, "attach is not supported");
}

TEST_F(FleetApi, ATokenCannotSmuggleAHeader) {
  HttpTestServer server([](const SeenRequest&, TestConnection& to) { return to.write(response(200, "", "{}")); });
  ServerAddress to = address(server.port());
  to.token = "a\r\nX-Evil: 1";
  ApiClient api(clock_, to);
  EXPECT_EQ(exit_status(api.call({.path = "/v1/x"}).error()), kUsage);
  EXPECT_TRUE(server.seen().empty());
}

}  // namespace
}  // namespace fusebox::cli::fleet
