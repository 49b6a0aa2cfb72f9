// What the provider of this process makes at once has one durable step (docs/adr/0011).
#include <gtest/gtest.h>

#include <algorithm>

#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;
using Words = std::vector<std::string>;

int status_of(const base::Error& error) {
  return api_detail(error).status;
}

struct AtOnce : EngineTest {
  void SetUp() override {
    EngineTest::SetUp();
    local().faults.at_once = true;
    settle();
    steps.clear();
  }
  FakeHost& local() { return factory.local_stub(); }
  std::size_t on_provider() {
    const auto listed = await(local().stub.list({}, "fuse-"));
    return listed ? listed->size() : 0;
  }
  Words audit(const std::string& id) {
    EventFilter filter;
    filter.entity_id = id;
    auto events = await(
        store->get<std::vector<EventRow>>(executor, [&](Reader& reader) { return reader.events(filter, 0, 100); }));
    Words types;
    if (events) {
      for (const EventRow& event : *events) types.insert(types.begin(), event.event_type);
    }
    return types;
  }
};

TEST_F(AtOnce, AnEnvironmentIsMadeInOneDurableStepWithItsWholeHistory) {
  const auto made = create("a");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(steps, Words{"running"});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
  EXPECT_TRUE(row("fuse-a")->op_id.empty());
  EXPECT_EQ(wire_states("fuse-a"), (Words{"provisioning", "running"}));
  EXPECT_EQ(audit("fuse-a"), (Words{"vm.provisioning", "vm.scheduled", "vm.running"}));
  EXPECT_EQ(audit("a"), (Words{"task.assigned", "task.running"}));
  EXPECT_EQ(on_provider(), 1U);
}

TEST_F(AtOnce, AnEnvironmentIsRemovedInOneDurableStep) {
  ASSERT_TRUE(create("a"));
  steps.clear();
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(steps, Words{"removed"});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(wire_states("fuse-a"), (Words{"provisioning", "running", "destroying", "destroyed"}));
  EXPECT_EQ(on_provider(), 0U);
  EXPECT_EQ(await(engine->destroy(executor, {}, "fuse-a")).error().code, base::Errc::not_found);
}

TEST_F(AtOnce, ANameIsFreeAgainAfterItsEnvironmentIsGone) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(create("a")) << i;
    ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a"))) << i;
  }
  EXPECT_EQ(on_provider(), 0U);
}

TEST_F(AtOnce, OfTwoCreatesOfOneTaskTheSecondFindsTheFirst) {
  std::vector<base::Result<Outcome>> outcomes;
  const auto one = [](EngineTest& test, std::vector<base::Result<Outcome>>& into) -> base::Task<void> {
    auto outcome = co_await test.engine->create(test.executor, {}, test.request("a"));
    into.push_back(std::move(outcome));
  };
  for (int i = 0; i < 5; ++i) base::spawn(executor, one(*this, outcomes));
  settle();
  ASSERT_EQ(outcomes.size(), 5U);
  EXPECT_EQ(std::ranges::count_if(outcomes, [](const auto& each) { return each.has_value(); }), 1);
  for (const auto& each : outcomes) {
    if (each) continue;
    EXPECT_EQ(status_of(each.error()), 409);
  }
  EXPECT_EQ(on_provider(), 1U);
  EXPECT_TRUE(row("fuse-a"));
}

TEST_F(AtOnce, WhatSomebodyMayAskAboutMeanwhileIsRecordedFirst) {
  RequestInfo keyed;
  keyed.idempotency_key = "k";
  ASSERT_TRUE(await(engine->create(executor, keyed, request("a"))));
  EXPECT_EQ(steps, (Words{"intent", "running"}));
  steps.clear();
  RequestInfo later;
  later.respond_async = true;
  ASSERT_TRUE(await(engine->create(executor, later, request("b"))));
  settle();
  EXPECT_EQ(steps, (Words{"intent", "running"}));
}

TEST_F(AtOnce, AFailureIsToldAndLeavesNothingWithTheProvider) {
  local().faults.plan(Call::create, {.how = How::fail_late, .error = {base::Errc::io, "half made", {}, nullptr}});
  const auto failed = create("a");
  ASSERT_FALSE(failed);
  EXPECT_EQ(status_of(failed.error()), 500);
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(wire_states("fuse-a"), (Words{"provisioning", "destroying", "failed"}));
  EXPECT_EQ(on_provider(), 0U);
  EXPECT_TRUE(create("a"));
}

TEST_F(AtOnce, AStoreThatTakesNothingLeavesNothingWithTheProvider) {
  store->refusal = base::Error{base::Errc::exhausted, "disk full", {}, nullptr};
  EXPECT_FALSE(create("a"));
  EXPECT_EQ(on_provider(), 0U);
  store->refusal.reset();
  ASSERT_TRUE(create("a"));
  EXPECT_EQ(on_provider(), 1U);
  store->refusal = base::Error{base::Errc::exhausted, "disk full", {}, nullptr};
  EXPECT_FALSE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(on_provider(), 1U);
  store->refusal.reset();
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
}

TEST_F(AtOnce, WhatACrashLeftWithoutARowGoes) {
  options.keep_unknown_vms = true;
  stop();
  host::CreateSpec cut_short;
  cut_short.name = "fuse-a";
  cut_short.fleet_id = "fleet";
  ASSERT_TRUE(await(local().stub.create({}, cut_short)));
  start();
  pass(seconds{300});
  EXPECT_EQ(on_provider(), 0U);
}

TEST_F(AtOnce, ADeletionThatTheProviderRefusesIsTriedUntilItIsGone) {
  ASSERT_TRUE(create("a"));
  local().faults.plan(Call::destroy, {.how = How::fail, .error = {base::Errc::io, "busy", {}, nullptr}, .times = 2});
  EXPECT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(on_provider(), 1U);
  pass(seconds{600});
  EXPECT_EQ(on_provider(), 0U);
}

}  // namespace
}  // namespace fusebox::fleet
