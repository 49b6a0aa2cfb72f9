#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;
using AgentRequests = EngineTest;

host::ProviderFault answers(int status) {
  auto failure = std::make_shared<host::WireFailure>();
  failure->status = status;
  return {.how = How::fail, .error = {base::Errc::unavailable, "no", {}, std::move(failure)}, .times = host::kAlways};
}

TEST_F(AgentRequests, AreCountedForEveryCallToAHost) {
  add_host("h1");
  const int probed = meters.requests["h1 capacity 200"];
  EXPECT_GE(probed, 1);
  ASSERT_TRUE(create("a"));
  EXPECT_EQ(meters.requests["h1 create 200"], 1);
  EXPECT_GT(meters.requests["h1 upload 200"], 0);
  EXPECT_EQ(meters.requests["h1 start_agent 200"], 1);
  const auto made = await(engine->snapshot(executor, {}, "fuse-a", {}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(meters.requests["h1 snapshot 200"], 1);
  {
    auto lease = await(engine->guest({}, "fuse-a", Engine::GuestUse::work));
    ASSERT_TRUE(lease);
    ASSERT_TRUE(await((*lease)->provider().stats({}, "fuse-a")));
  }
  EXPECT_EQ(meters.requests["h1 stats 200"], 1);
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(meters.requests["h1 destroy 200"], 1);
  const int listed = meters.requests["h1 list 200"];
  pass(seconds{35});
  EXPECT_GT(meters.requests["h1 list 200"], listed);
  EXPECT_GT(meters.requests["h1 capacity 200"], probed);  // polls
}

TEST_F(AgentRequests, SayHowTheyEnded) {
  add_host("h1");
  host("h1").faults.plan(Call::create, answers(503));
  EXPECT_FALSE(create("a"));
  EXPECT_EQ(meters.requests["h1 create 503"], 1);
  EXPECT_EQ(meters.requests.count("h1 create 200"), 0u);
  host("h1").faults.plan(Call::list, answers(0));
  pass(seconds{35});
  EXPECT_GT(meters.requests["h1 list 0"], 0);
}

TEST_F(AgentRequests, OfAHostThatWasRefusedAreNotCounted) {
  host("h1").faults.plan(Call::capacity, answers(401));
  HostRequest refused;
  refused.id = "h1";
  refused.url = "http://h1.test:8090";
  EXPECT_FALSE(await(engine->register_host(executor, {}, refused)));
  EXPECT_TRUE(meters.requests.empty());
}

TEST_F(AgentRequests, OfThisProcessAreNone) {
  ASSERT_TRUE(create("a"));
  EXPECT_TRUE(meters.requests.empty());
}

}  // namespace
}  // namespace fusebox::fleet
