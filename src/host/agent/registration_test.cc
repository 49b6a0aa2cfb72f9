#include "host/agent/registration.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "host/stub/stub_provider.h"

namespace fusebox::host {
namespace {

using namespace std::chrono_literals;

// A control plane that answers as it is told.
struct Registering : ::testing::Test {
  Registering() { join.server_url = "http://cp/"; }
  static StubOptions with_images(StubOptions options) {
    options.capacity.image_gb = std::map<std::string, std::int64_t>{{"js", 0}, {"js:1", 0}};
    return options;
  }
  void start() {
    registration = std::make_unique<Registration>(
        RegistrationParts{stub, executor, random, logger}, join, "http://me:8090", "agent-token",
        [this](http::AsyncRequest request) { return answer(*this, std::move(request)); });
    base::spawn(executor, registration->run(), [this] { ended = true; });
    executor.run();
  }
  static base::Task<base::Result<http::AsyncReply>> answer(Registering& self, http::AsyncRequest request) {
    self.at.push_back(self.clock.monotonic());
    self.requests.push_back(std::move(request));
    if (self.status == 0) co_return base::fail(base::Errc::unavailable, "connection refused");
    http::AsyncReply reply;
    reply.status = self.status;
    reply.body = self.status == 404 ? "no such host" : "{}";
    co_return reply;
  }
  ~Registering() override {
    if (registration == nullptr) return;
    registration->stop();
    executor.run();
    EXPECT_TRUE(ended);
  }

  base::ManualClock clock;
  base::ManualExecutor executor{clock};
  base::SeededRandom random{9};
  std::string logged;
  base::Logger logger{clock, base::LogLevel::info, [this](std::string_view line) { logged.append(line) += '\n'; }};
  StubProvider stub{with_images(StubOptions{.clock = &clock, .random = &random})};
  JoinOptions join{
      .server_url = "", .server_token = "server-token", .host_id = "h 1", .region = "eu", .labels = {{"zone", "a"}}};
  int status = 201;
  std::vector<http::AsyncRequest> requests;
  std::vector<base::Nanos> at;
  std::unique_ptr<Registration> registration;
  bool ended = false;
};

TEST_F(Registering, SaysWhoItIsAndThenThatItLives) {
  CreateSpec spec;
  spec.name = "a";
  base::spawn(executor, [](Registering& self, CreateSpec given) -> base::Task<void> {
    CallContext context;
    context.generation = 4;
    (void)co_await self.stub.create(context, std::move(given));
  }(*this, spec));
  executor.run();
  start();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].url, "http://cp/v1/hosts");
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].headers[0].value, "Bearer server-token");
  const std::string& body = requests[0].body;
  EXPECT_EQ(body.find(R"({"id":"h 1","url":"http://me:8090","token":"agent-token","backend":"stub","region":"eu",)"
                      R"("labels":{"zone":"a"},"capacity":{"cpus":)"),
            0u)
      << body;
  EXPECT_TRUE(registration->is_registered());
  executor.run_for(10s);
  ASSERT_GE(requests.size(), 2u);
  EXPECT_EQ(requests[1].url, "http://cp/v1/hosts/h%201?action=heartbeat");
  EXPECT_NE(requests[1].body.find(R"("vms":[{"vm_id":"a","generation":4,"state":"running","boot_id":)"),
            std::string::npos)
      << requests[1].body;
  EXPECT_NE(requests[1].body.find(R"("image_gb":{"js":0,"js:1":0}})"), std::string::npos) << requests[1].body;
  executor.run_for(100s);
  EXPECT_GE(requests.size(), 11u);
  EXPECT_LE(requests.size(), 14u);
  EXPECT_EQ(logged.find("server-token"), std::string::npos);
  EXPECT_EQ(logged.find("agent-token"), std::string::npos);
}

TEST_F(Registering, ComesBackWithGrowingPausesWhenNobodyAnswers) {
  status = 0;
  start();
  executor.run_for(10min);
  ASSERT_GT(at.size(), 8u);
  EXPECT_LE(at[1] - at[0], 1s);
  for (std::size_t i = 1; i < at.size(); ++i) {
    EXPECT_GE(at[i] - at[i - 1], 500ms);
    EXPECT_LE(at[i] - at[i - 1], 60s);
  }
  EXPECT_GE(at.back() - at[at.size() - 2], 30s);
  EXPECT_EQ(std::ranges::count(logged, '\n'), 1);  // the same trouble is told once
  EXPECT_FALSE(registration->is_registered());
  status = 201;
  executor.run_for(61s);
  EXPECT_TRUE(registration->is_registered());
}

TEST_F(Registering, AControlPlaneThatForgotIsToldAgainAtOnce) {
  start();
  status = 404;
  executor.run_for(10s);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[2].url, "http://cp/v1/hosts");
  EXPECT_FALSE(registration->is_registered());
  status = 201;
  executor.run_for(2s);
  EXPECT_TRUE(registration->is_registered());
}

TEST_F(Registering, AFailedHeartbeatIsNoReasonToRegisterAgain) {
  start();
  status = 503;
  executor.run_for(30s);
  const std::size_t failed = requests.size();
  EXPECT_GT(failed, 2u);
  EXPECT_TRUE(registration->is_registered());
  status = 204;
  executor.run_for(30s);
  for (std::size_t i = 1; i < requests.size(); ++i)
    EXPECT_NE(requests[i].url.find("heartbeat"), std::string::npos) << i;
  EXPECT_NE(logged.find("the control plane answers again"), std::string::npos);
}

TEST_F(Registering, ARefusedTokenIsToldAndTriedAgainLater) {
  status = 401;
  start();
  EXPECT_NE(logged.find("the server answered 401"), std::string::npos) << logged;
  EXPECT_FALSE(registration->is_registered());
}

}  // namespace
}  // namespace fusebox::host
