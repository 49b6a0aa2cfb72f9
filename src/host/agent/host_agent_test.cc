#include "host/agent/host_agent.h"

#include <gtest/gtest.h>

#include "http/server/server_test_support.h"
#include "support/http_test_server.h"

namespace fusebox::host {
namespace {

using namespace std::chrono_literals;

struct Agent : ::testing::Test {
  base::Result<std::unique_ptr<HostAgent>> start(HostOptions options) {
    return HostAgent::start(std::move(options),
                            [this](base::Executor&, const HostOptions&) { return make_stub_provider(clock, random); },
                            {clock, random, logger});
  }
  static HostOptions options() {
    HostOptions given;
    given.backend = "stub";
    given.bind = "127.0.0.1";
    given.port = 0;
    given.token = "t";
    given.stop_limit = 5s;
    return given;
  }
  static std::string get(std::uint16_t port, const std::string& path) {
    http::test::RawClient client(port);
    client.say("GET " + path + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n");
    return client.until_closed();
  }
  base::RealClock clock;
  base::SystemRandom random;
  std::string logged;
  base::Logger logger{clock, base::LogLevel::info, [this](std::string_view line) { logged.append(line) += '\n'; }};
};

TEST_F(Agent, AnswersUntilItIsStopped) {
  auto agent = start(options());
  ASSERT_TRUE(agent) << agent.error().message;
  const std::string answer = get((*agent)->port(), "/healthz");
  EXPECT_EQ(answer.find("HTTP/1.1 200 OK\r\n"), 0u) << answer;
  EXPECT_NE(answer.find("Server: fusebox-host/"), std::string::npos) << answer;
  EXPECT_TRUE((*agent)->stop());
  EXPECT_TRUE((*agent)->stop());
}

TEST_F(Agent, RefusesBodiesWhoseLengthItCannotTrust) {
  auto agent = start(options());
  ASSERT_TRUE(agent) << agent.error().message;
  struct Case {
    const char* headers;
    const char* body;
    const char* status;
  };
  for (const Case& c :
       {Case{"Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", "HTTP/1.1 411 "},
        Case{"Content-Length: x\r\n", "{}", "HTTP/1.1 400 "}, Case{"Content-Length: -1\r\n", "{}", "HTTP/1.1 400 "},
        Case{"Content-Length: 2000000\r\n", "{}", "HTTP/1.1 413 "},
        Case{"Content-Length: 9\r\n", "{}", "HTTP/1.1 400 "}, Case{"Content-Length: 0\r\n", "", "HTTP/1.1 200 "}}) {
    SCOPED_TRACE(c.headers);
    http::test::RawClient client((*agent)->port());
    client.say(std::string("POST /v1/vm HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nConnection: close\r\n") +
               c.headers + "\r\n" + c.body);
    client.end_sending();
    const std::string answer = client.until_closed();
    EXPECT_EQ(answer.find(c.status), 0u) << answer;
    EXPECT_NE(answer.find("\r\nContent-Length: "), std::string::npos) << answer;
  }
}

TEST_F(Agent, RefusesOptionsNobodyCanUse) {
  HostOptions given = options();
  given.token.clear();
  given.backend = "qemu";
  const auto agent = start(given);
  ASSERT_FALSE(agent.has_value());
  EXPECT_EQ(agent.error().message,
            "FC_AGENT_TOKEN must be set\nbackend \"qemu\" is not part of this build: microVMs need a build with them; "
            "choose wasm or stub");
}

TEST_F(Agent, SaysWhichAddressIsTaken) {
  auto first = start(options());
  ASSERT_TRUE(first);
  HostOptions given = options();
  given.port = (*first)->port();
  const auto second = start(given);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().message.find("listen on 127.0.0.1:" + std::to_string(given.port) + ": "), 0u)
      << second.error().message;
}

TEST_F(Agent, RegistersItselfWithTheUrlItListensAt) {
  fusebox::testing::HttpTestServer server(
      [](const fusebox::testing::SeenRequest&, fusebox::testing::TestConnection& connection) {
        return connection.write(fusebox::testing::response(201, "", "{}"));
      });
  HostOptions given = options();
  given.join.server_url = "http://127.0.0.1:" + std::to_string(server.port());
  given.join.server_token = "s";
  given.join.host_id = "h";
  auto agent = start(given);
  ASSERT_TRUE(agent) << agent.error().message;
  EXPECT_TRUE(http::test::comes_true([&] { return (*agent)->is_registered(); }));
  const auto seen = server.seen();
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].target, "/v1/hosts");
  EXPECT_EQ(seen[0].header("authorization"), "Bearer s");
  EXPECT_NE(seen[0].body.find("\"url\":\"http://127.0.0.1:" + std::to_string((*agent)->port()) + "\""),
            std::string::npos)
      << seen[0].body;
  EXPECT_TRUE((*agent)->stop());
}

}  // namespace
}  // namespace fusebox::host
