// A host that is drained with eviction is empty in the end, whoever is there to see to it.
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;

struct Evict : EngineTest {
  void drain(std::int64_t timeout_seconds) {
    const auto drained = await(engine->drain_host(executor, {}, "h1", true, timeout_seconds));
    ASSERT_TRUE(drained) << drained.error().message;
    settle();
  }
  std::size_t there(std::optional<std::string> state = {}) {
    EnvironmentFilter filter;
    filter.host_id = "h1";
    filter.state = std::move(state);
    const auto count =
        await(store->get<std::uint64_t>(executor, [&](Reader& reader) { return reader.count_environments(filter); }));
    EXPECT_TRUE(count);
    return *count;
  }
};

TEST_F(Evict, EverythingIsDrainedAndThenDestroyedHoweverManyThereAre) {
  constexpr std::size_t kMany = 430;  // more than two pages
  add_host("h1", kMany);
  for (std::size_t i = 0; i < kMany; ++i) ASSERT_TRUE(create("t" + std::to_string(i)));
  drain(20);
  EXPECT_EQ(there("draining"), kMany);
  pass(seconds{15});
  EXPECT_EQ(there("draining"), kMany) << "before its time";
  pass(seconds{10});
  EXPECT_EQ(there(), 0u);
  EXPECT_EQ(await(host("h1").stub.list({}, "fuse-"))->size(), 0u);
}

TEST_F(Evict, DrainsThatHangDoNotMoveItsTime) {
  constexpr std::size_t kMany = 20;  // more than are drained at once
  add_host("h1", kMany);
  for (std::size_t i = 0; i < kMany; ++i) ASSERT_TRUE(create("t" + std::to_string(i)));
  host("h1").faults.plan(Call::exec, {.how = host::ProviderFault::How::hang, .times = host::kAlways});
  drain(20);
  pass(seconds{15});
  EXPECT_EQ(there(), kMany) << "before its time";
  pass(seconds{10});
  EXPECT_EQ(there(), 0u);
}

TEST_F(Evict, ItGoesOnAfterARestart) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  drain(600);
  stop();
  start();
  pass(seconds{500});
  EXPECT_EQ(there(), 1u);
  pass(seconds{150});
  EXPECT_EQ(there(), 0u);
}

TEST_F(Evict, AHostThatIsUncordonedKeepsWhatItHas) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  drain(60);
  ASSERT_TRUE(await(engine->cordon(executor, {}, "h1", false)));
  pass(seconds{120});
  EXPECT_EQ(there(), 1u);
  EXPECT_EQ(host_row("h1").state, HostState::active);
}

TEST_F(Evict, AStoreThatIsAwayWhenTheTimeIsUpDoesNotEndIt) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  drain(30);
  store->refusal = base::Error{base::Errc::unavailable, "store is away", {}, {}};
  pass(seconds{60});
  store->refusal.reset();
  EXPECT_EQ(there(), 1u);
  pass(seconds{10});
  EXPECT_EQ(there(), 0u);
}

TEST_F(Evict, WhatItsHostDoesNotDeleteIsTriedAgainUntilItIsGone) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(
      Call::destroy,
      {.how = host::ProviderFault::How::fail, .error = {base::Errc::io, "disk is busy", {}, {}}, .times = 3});
  drain(0);
  EXPECT_EQ(there("destroying"), 1u);
  pass(seconds{120});
  EXPECT_EQ(there(), 0u);
}

}  // namespace
}  // namespace fusebox::fleet
