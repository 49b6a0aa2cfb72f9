#include "fleet/control_plane.h"

#include <gmock/gmock.h>

#include "fleet/api/api_test_support.h"
#include "host/providers.h"
#include "host/stub/stub_provider.h"

namespace fusebox::fleet::test {
namespace {

using ::testing::HasSubstr;

// A whole control plane over a store in memory, with the stub as its only provider.
class ControlPlaneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ControlPlaneOptions options;
    options.http.listen = "127.0.0.1:0";
    options.http_threads = 1;
    options.store.database_url = "memory:";
    options.store.replica_id = options.engine.replica_id = "r1";
    options.store.clock = options.clock = &clock_;
    options.random = &random_;
    options.logger = &logger_;
    options.api.master_token = kMaster;
    options.keys.push_back(*VaultKey::from_hex(std::string(64, 'a')));
    options.providers = [this](http::Loop& loop) -> base::Result<std::unique_ptr<host::ProviderSet>> {
      std::map<std::string, std::unique_ptr<host::Provider>, std::less<>> local;
      local["stub"] = std::make_unique<host::StubProvider>(host::StubOptions{.clock = &clock_, .random = &random_});
      return std::make_unique<host::HostProviders>(loop, random_, http::Proxies{}, std::move(local));
    };
    auto started = ControlPlane::start(std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    plane_ = std::move(*started);
  }
  Received ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    Talk talk(plane_->port());
    talk.send(method, target, {{"Authorization", "Bearer " + std::string(kMaster)}, {"Connection", "close"}}, body);
    return talk.receive();
  }

 private:
  base::RealClock clock_;
  base::SystemRandom random_;
  base::Logger logger_{clock_, base::LogLevel::error, {}};
  std::unique_ptr<ControlPlane> plane_;
};

TEST_F(ControlPlaneTest, ShowsTheTimesOfItsStore) {
  ASSERT_EQ(ask("POST", "/v1/environments", R"({"task_id":"a"})").status, 201);
  ASSERT_EQ(ask("GET", "/v1/environments").status, 200);
  const std::string text = ask("GET", "/metrics").body;
  for (const char* query : {"commit", "key_ring", "environment_views"})
    EXPECT_THAT(text,
                HasSubstr("orchestrator_store_query_duration_seconds_count{query=\"" + std::string(query) + "\"}"));
}

}  // namespace
}  // namespace fusebox::fleet::test
