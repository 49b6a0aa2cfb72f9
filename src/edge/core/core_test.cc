#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/core/native_test_support.h"

namespace fusebox::edge {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class CoreTest : public ::testing::Test, public CoreFixture {
 protected:
  void SetUp() override { ASSERT_EQ(open(), FUSE_SUCCESS); }

  // A module that writes its number into `ran`.
  NativeModule tracer(int number) {
    NativeModule out;
    out.step = [this, number](NativeGuest&) { ran.push_back(number); };
    return out;
  }
  static fuse_policy_t every(std::uint32_t interval_us) {
    fuse_policy_t policy = any();
    policy.step_interval_us = interval_us;
    return policy;
  }
  static fuse_policy_t on_event(std::uint32_t events, std::uint32_t activation = FUSE_ACTIVATION_EVENT) {
    fuse_policy_t policy = any();
    policy.activation_mask = activation;
    policy.event_subscribe = events;
    return policy;
  }
  std::uint32_t latch(fuse_module_id_t id) const {
    std::uint32_t out = 0;
    runtime->event_latch(id, &out);
    return out;
  }
  std::uint64_t next_due() {
    std::uint64_t out = 1;
    EXPECT_EQ(runtime->next_due(&out), FUSE_SUCCESS);
    return out;
  }

  std::vector<int> ran;
};

TEST_F(CoreTest, LogsItsOwnLife) {
  const auto id = run(tracer(0));
  runtime->pause(id);
  runtime->unload(id);
  runtime->stop();
  runtime->stop();
  runtime->restart();
  EXPECT_THAT(log_lines(), ElementsAre("1 -1 FUSE runtime initialised", "1 0 module 0 loaded", "0 0 module 0 running",
                                       "0 0 module 0 paused", "1 0 module 0 unloaded", "1 -1 FUSE runtime stopped",
                                       "1 -1 FUSE runtime stopped", "1 -1 FUSE runtime restarted"));
}

TEST_F(CoreTest, TakesTheLowestFreeSlotAndRefusesTheNinthModule) {
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_EQ(load(tracer(0)), i);
  fuse_module_id_t id = 77;
  EXPECT_EQ(try_load(tracer(0), any(), nullptr, &id), FUSE_ERR_MODULE_LIMIT);
  EXPECT_EQ(id, 77u);
  EXPECT_EQ(runtime->unload(3), FUSE_SUCCESS);
  EXPECT_EQ(load(tracer(0)), 3u);
}

TEST_F(CoreTest, AHandleGoesStaleWhenItsSlotIsUsedAgain) {
  const auto id = load(tracer(0));
  std::uint64_t handle = 0;
  ASSERT_EQ(runtime->handle(id, &handle), FUSE_SUCCESS);
  fuse_module_id_t found = 9;
  EXPECT_EQ(runtime->by_handle(handle, &found), FUSE_SUCCESS);
  EXPECT_EQ(found, id);
  runtime->unload(id);
  EXPECT_EQ(runtime->by_handle(handle, &found), FUSE_ERR_MODULE_NOT_FOUND);
  EXPECT_EQ(load(tracer(0)), id);
  EXPECT_EQ(runtime->by_handle(handle, &found), FUSE_ERR_MODULE_NOT_FOUND);
}

TEST_F(CoreTest, OneClockReadForEveryRingEntryAndEveryAttemptAndNoOther) {
  const auto id = run(tracer(0), every(1000));
  world().clock_reads = 0;
  runtime->tick();
  EXPECT_EQ(world().clock_reads, 1);
  EXPECT_THAT(ran, ElementsAre(0));
  runtime->tick();  // not due: a refused attempt
  EXPECT_EQ(world().clock_reads, 2);
  EXPECT_EQ(runtime->run_step(id), FUSE_ERR_INTERVAL_NOT_ELAPSED);
  EXPECT_EQ(world().clock_reads, 3);
  runtime->post_event(3);
  runtime->clear_event(3);
  state(id);
  EXPECT_EQ(world().clock_reads, 3);
  runtime->pause(id);
  EXPECT_EQ(world().clock_reads, 4);
}

TEST_F(CoreTest, AnIntervalRunsAtEqualityAndNotBefore) {
  run(tracer(0), every(1000));
  runtime->tick();
  world().clock_us += 999;
  EXPECT_EQ(runtime->tick(), 0u);
  world().clock_us += 1;
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_EQ(ran.size(), 2u);
}

TEST_F(CoreTest, AClockThatWentBackRunsTheStepAndBecomesTheNewLast) {
  run(tracer(0), every(1000));
  run(tracer(1), every(1'000'000));
  runtime->tick();
  world().clock_us = 10;
  EXPECT_EQ(runtime->tick(), 3u);
  world().clock_us = 1009;
  EXPECT_EQ(runtime->tick(), 0u);
  world().clock_us = 1010;
  EXPECT_EQ(runtime->tick(), 1u);
}

TEST_F(CoreTest, TimesNearTheEndOfTheClockNeitherWrapNorHang) {
  world().clock_us = UINT64_MAX - 10;
  run(tracer(0), every(100));
  EXPECT_EQ(runtime->tick(), 1u);
  world().clock_us = UINT64_MAX;
  EXPECT_EQ(runtime->tick(), 0u);
  world().clock_us = 5;  // wrapped
  EXPECT_EQ(runtime->tick(), 1u);
}

TEST_F(CoreTest, ModulesRunInSlotOrderWhateverTheirDueTimes) {
  run(tracer(0), every(3000));
  run(tracer(1), every(1000));
  run(tracer(2), every(2000));
  runtime->tick();
  ran.clear();
  world().clock_us += 3000;
  EXPECT_EQ(runtime->tick(), 7u);
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
}

TEST_F(CoreTest, AModuleFurtherOnThatBecomesDueDuringATickRunsInIt) {
  NativeModule slow;
  slow.step = [this](NativeGuest&) {
    ran.push_back(0);
    world().clock_us += 600;
  };
  run(slow, every(1000));
  run(tracer(1), every(1000));
  runtime->tick();
  ran.clear();
  world().clock_us += 400;  // slot 0 is due now, slot 1 in 0: it started 600 later
  runtime->tick();
  EXPECT_THAT(ran, ElementsAre(0, 1));
}

TEST_F(CoreTest, HigherPriorityRunsEarlier) {
  fuse_policy_ext_t high{};
  high.size = sizeof high;
  high.priority = 5;
  fuse_policy_ext_t low = high;
  low.priority = -1;
  run(tracer(0), any(), &low);
  run(tracer(1));
  run(tracer(2), any(), &high);
  run(tracer(3), any(), &high);
  EXPECT_EQ(runtime->tick(), 15u);
  EXPECT_THAT(ran, ElementsAre(2, 3, 1, 0));
}

TEST_F(CoreTest, AnEventRunsItsSubscriberOnceAndCoalesces) {
  const auto id = run(tracer(0), on_event(1u << 4));
  EXPECT_EQ(runtime->tick(), 0u);
  runtime->post_event(4);
  runtime->post_event(4);
  runtime->post_event(5);
  EXPECT_EQ(latch(id), 1u << 4);
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_EQ(runtime->tick(), 0u);
  EXPECT_EQ(info(id).events_delivered, 1u);
  EXPECT_EQ(info(id).events_coalesced, 1u);
}

TEST_F(CoreTest, EventsPostedWhileLoadedOrPausedFireAfterStart) {
  const auto id = load(tracer(0), on_event(1));
  runtime->post_event(0);
  EXPECT_EQ(runtime->tick(), 0u);
  runtime->start(id);
  EXPECT_EQ(runtime->tick(), 1u);
  runtime->pause(id);
  runtime->post_event(0);
  EXPECT_EQ(runtime->tick(), 0u);
  runtime->start(id);
  EXPECT_EQ(runtime->tick(), 1u);
}

TEST_F(CoreTest, APostDuringTheStepIsKeptForTheNextTick) {
  NativeModule again;
  again.step = [this](NativeGuest& guest) {
    ran.push_back(0);
    if (ran.size() == 1) guest.call("fuse_event_post", 0);
  };
  const auto id = run(again, on_event(1));
  runtime->post_event(0);
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_EQ(latch(id), 1u);
  EXPECT_EQ(info(id).event_last_source, id);
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_EQ(runtime->tick(), 0u);
  EXPECT_EQ(ran.size(), 2u);
}

TEST_F(CoreTest, AConsumerInAHigherSlotRunsInTheSameTickOneInALowerSlotInTheNext) {
  run(tracer(0), on_event(1));
  NativeModule producer;
  producer.step = [this](NativeGuest& guest) {
    ran.push_back(1);
    guest.call("fuse_event_post", 0);
  };
  const auto id = run(producer);
  run(tracer(2), on_event(1));
  EXPECT_EQ(runtime->tick(), 0b110u);
  EXPECT_THAT(ran, ElementsAre(1, 2));
  runtime->pause(id);
  EXPECT_EQ(runtime->tick(), 0b001u);
}

TEST_F(CoreTest, AFailedStepGetsItsEventsBackButNotTheClearedOnes) {
  NativeModule bad;
  bad.step = [this](NativeGuest& guest) {
    runtime->clear_event(1);
    guest.fail(kTrapUnreachable);
  };
  const auto id = run(bad, on_event(0b111));
  runtime->post_event(0);
  runtime->post_event(1);
  runtime->tick();
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
  EXPECT_EQ(latch(id), 0b001u);
}

TEST_F(CoreTest, IntervalAndEventRunsOnceInATickAndTheEventMovesLast) {
  fuse_policy_t policy = on_event(1, FUSE_ACTIVATION_EVENT | FUSE_ACTIVATION_INTERVAL);
  policy.step_interval_us = 1000;
  run(tracer(0), policy);
  runtime->tick();
  world().clock_us += 500;
  runtime->post_event(0);
  EXPECT_EQ(runtime->tick(), 1u);
  world().clock_us += 500;  // 1000 after the first, 500 after the event's
  EXPECT_EQ(runtime->tick(), 0u);
  world().clock_us += 500;
  EXPECT_EQ(runtime->tick(), 1u);
}

TEST_F(CoreTest, AnIntervalModuleOnlyAccumulatesEventsAndAManualOneIsNeverTicked) {
  const auto timed = run(tracer(0), on_event(1, FUSE_ACTIVATION_INTERVAL));
  const auto manual = run(tracer(1), on_event(1, FUSE_ACTIVATION_MANUAL | FUSE_ACTIVATION_EVENT));
  runtime->post_event(0);
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_EQ(latch(timed), 1u);
  EXPECT_EQ(runtime->run_step(manual), FUSE_SUCCESS);
  EXPECT_EQ(latch(manual), 1u);
}

TEST_F(CoreTest, AMaskOfUnknownBitsIsNeverRunAndZeroIsInterval) {
  fuse_policy_t policy = any();
  policy.activation_mask = 0x80;
  policy.capabilities |= 0x80000000;
  run(tracer(0), policy);
  EXPECT_THAT(log_lines(), Contains("1 0 module 0 policy: unknown bits ignored cap=0x80000000 act=0x00000080"));
  policy = any();
  policy.activation_mask = 0;
  run(tracer(1), policy);
  EXPECT_EQ(runtime->tick(), 0b10u);
}

TEST_F(CoreTest, QuotaIsArmedAroundTheStepAloneAndCancelledOnEveryOutcome) {
  fuse_policy_t policy = any();
  policy.cpu_quota_us = 500;
  NativeModule module = tracer(0);
  module.init = [](NativeGuest&) {};
  int steps = 0;
  module.step = [&](NativeGuest& guest) {
    if (++steps == 2) guest.fail(kTrapUnreachable);
  };
  const auto id = run(module, policy);
  EXPECT_TRUE(world().calls.empty());
  runtime->tick();
  runtime->tick();
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
  EXPECT_THAT(world().calls, ElementsAre("arm 0 500", "cancel 0", "arm 0 500", "cancel 0"));
}

TEST_F(CoreTest, AnExpiryBeforeTheGuestBeginsKeepsTheBodyFromRunning) {
  fuse_policy_t policy = any();
  policy.cpu_quota_us = 500;
  const auto id = run(tracer(0), policy);
  world().on_arm = [&] { runtime->quota_expired(id); };
  EXPECT_EQ(runtime->run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  EXPECT_TRUE(ran.empty());
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_QUOTA_EXCEEDED);
  EXPECT_EQ(last_line(), "2 0 module 0 quota exceeded");
  EXPECT_EQ(runtime->start(id), FUSE_ERR_INVALID_ARG);
}

TEST_F(CoreTest, AnExpiryOutsideACallHasNoEffect) {
  const auto id = load(tracer(0));
  runtime->quota_expired(id);
  runtime->quota_expired(99);
  runtime->quota_expired(FUSE_INVALID_MODULE_ID);
  EXPECT_EQ(runtime->start(id), FUSE_SUCCESS);
  runtime->quota_expired(id);
  EXPECT_EQ(runtime->tick(), 1u);
  runtime->quota_expired(id);
  EXPECT_EQ(runtime->tick(), 1u);
}

TEST_F(CoreTest, AnExpiryDuringTheStepEndsItWithQuota) {
  NativeModule module;
  module.step = [this](NativeGuest&) { runtime->quota_expired(0); };
  const auto id = run(module);
  EXPECT_EQ(runtime->run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  EXPECT_EQ(info(id).quota_stops, 1u);
}

// A backend may time the step from that reading: what a HAL callback took must not be the guest's.
TEST_F(CoreTest, TheBackendIsGivenAReadingSinceWhichTheHostDidNotRun) {
  std::vector<std::uint64_t> given;
  std::vector<std::uint64_t> now;
  NativeModule module;
  module.step = [&](NativeGuest& guest) {
    given.push_back(guest.limits.now_ns);
    now.push_back(port.ns);
  };
  port.ns = 1'000;
  world().on_clock = [&] { port.ns += 7'000; };
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.deadline_us = 1'000'000;  // every step is timed
  run(module, any(), &ext);
  const auto second = run(module, any(), &ext);
  EXPECT_EQ(runtime->tick(), 3u);
  EXPECT_EQ(runtime->tick(), 3u);
  EXPECT_EQ(runtime->run_step(second), FUSE_SUCCESS);
  EXPECT_EQ(given, now);
  EXPECT_EQ(given.size(), 5u);
}

TEST_F(CoreTest, TheBackendReadsItsOwnClockAfterQuotaArm) {
  std::uint64_t given = 1;
  NativeModule module;
  module.step = [&](NativeGuest& guest) { given = guest.limits.now_ns; };
  fuse_policy_t policy = any();
  policy.cpu_quota_us = 500;
  port.ns = 1'000;
  EXPECT_EQ(runtime->run_step(run(module, policy)), FUSE_SUCCESS);
  EXPECT_EQ(given, 0u);
}

TEST_F(CoreTest, InitRunsOnceAndItsFaultsAreNamed) {
  int inits = 0;
  NativeModule module = tracer(0);
  module.init = [&](NativeGuest&) { ++inits; };
  auto id = run(module);
  runtime->pause(id);
  runtime->start(id);
  EXPECT_EQ(inits, 1);
  module.init = [](NativeGuest& guest) { guest.fail(kTrapUnreachable); };
  id = run(module);
  EXPECT_EQ(status, FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
  EXPECT_EQ(last_line(), "2 1 module_init trap mod=1: Exception: unreachable");
  module.init = [](NativeGuest& guest) { guest.over_limit = true; };
  id = run(module);
  EXPECT_EQ(status, FUSE_ERR_QUOTA_EXCEEDED);
  EXPECT_EQ(last_line(), "2 2 module_init quota mod=2");
}

TEST_F(CoreTest, LifecycleCallsHaveABudgetOfTheirOwn) {
  std::vector<std::uint64_t> budgets;
  NativeModule module;
  module.start = module.init = module.deinit = [&](NativeGuest& guest) { budgets.push_back(guest.limits.cpu_us); };
  fuse_policy_t policy = any();
  policy.cpu_quota_us = 7;
  auto id = run(module, policy);
  runtime->unload(id);
  EXPECT_THAT(budgets, ElementsAre(1'000'000, 1'000'000, 1'000'000));
  budgets.clear();
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.init_budget_us = 42;
  id = run(module, policy, &ext);
  runtime->unload(id);
  EXPECT_THAT(budgets, ElementsAre(42, 42, 42));
}

TEST_F(CoreTest, DeinitRunsWhenTheModuleWasStartedAndIsNotTerminal) {
  int deinits = 0;
  NativeModule module = tracer(0);
  module.deinit = [&](NativeGuest&) { ++deinits; };
  runtime->unload(load(module));
  EXPECT_EQ(deinits, 0);
  runtime->unload(run(module));  // no module_init: started all the same
  EXPECT_EQ(deinits, 1);
  module.step = [](NativeGuest& guest) { guest.fail(kTrapUnreachable); };
  const auto id = run(module);
  runtime->tick();
  runtime->unload(id);
  EXPECT_EQ(deinits, 1);
  module.deinit = [](NativeGuest& guest) { guest.fail(kTrapDivideByZero); };
  runtime->unload(run(module));
  EXPECT_THAT(log_lines(), Contains("2 0 module_deinit trap mod=0: Exception: integer divide by zero"));
  EXPECT_EQ(backend.instances, 0);
  EXPECT_EQ(backend.units, 0);
}

TEST_F(CoreTest, ATrapIsLoggedWithItsTextAndLeavesTheOthersRunning) {
  NativeModule bad;
  bad.step = [](NativeGuest& guest) { guest.fail(kTrapMemoryBounds); };
  const auto id = run(bad);
  run(tracer(1));
  EXPECT_EQ(runtime->tick(), 0b10u);
  EXPECT_EQ(last_line(), "2 0 module 0 trap: Exception: out of bounds memory access");
  EXPECT_STREQ(info(id).trap_text, "out of bounds memory access");
  EXPECT_EQ(runtime->run_step(id), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(runtime->tick(), 0b10u);
}

TEST_F(CoreTest, AMissingCapabilityIsAViolationBeforeAnyArgumentIsLookedAt) {
  fuse_policy_t policy = any();
  policy.capabilities = 0;
  NativeModule module;
  module.step = [](NativeGuest& guest) { guest.call("module_log_event", 0xFFFFFFFF, 0xFFFFFFFF, 0); };
  const auto id = run(module, policy);
  EXPECT_EQ(runtime->run_step(id), FUSE_ERR_MODULE_TRAP);
  EXPECT_THAT(log_lines(), Contains("2 0 SECURITY: module 0 policy violation cap=LOG"));
  EXPECT_EQ(last_line(), "2 0 module 0 trap: Exception: FUSE policy violation");
}

TEST_F(CoreTest, ImportArgumentsAreCheckedOnBothSidesOfEveryBoundary) {
  struct Case {
    std::uint32_t address, length;
    bool traps;
  };
  for (const Case& c : {Case{0, 4096, false},
                        {1, 4096, true},
                        {4096, 0, false},
                        {4097, 0, true},
                        {4095, 1, false},
                        {0xFFFFFFFF, 1, true},
                        {0xFFFFFFFF, 0xFFFFFFFF, true}}) {
    NativeModule module;
    module.step = [c](NativeGuest& guest) { guest.call("module_log_event", c.address, c.length, 1); };
    const auto id = run(module);
    EXPECT_EQ(runtime->run_step(id), c.traps ? FUSE_ERR_MODULE_TRAP : FUSE_SUCCESS) << c.address << " " << c.length;
    if (c.traps) {
      EXPECT_THAT(log_lines(), Contains("2 0 SECURITY: log buffer OOB"));
    }
    runtime->unload(id);
  }
  for (const std::uint32_t event : {31u, 32u}) {
    NativeModule module;
    module.step = [event](NativeGuest& guest) { guest.call("fuse_event_post", event); };
    EXPECT_EQ(runtime->run_step(run(module)), event == 31 ? FUSE_SUCCESS : FUSE_ERR_MODULE_TRAP);
  }
  EXPECT_THAT(log_lines(), Contains("2 1 SECURITY: module 1 policy violation cap=EVENT_POST_OOB"));
}

TEST_F(CoreTest, AnImportCallFromTheStartFunctionIsRogue) {
  NativeModule module;
  module.start = [](NativeGuest& guest) { guest.call("temp_get_reading"); };
  fuse_module_id_t id = 0;
  EXPECT_EQ(try_load(module, any(), nullptr, &id), FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_THAT(log_lines(), Contains("2 -1 rogue exec_env"));
  EXPECT_EQ(last_line(), "2 -1 instantiate failed: Exception: FUSE: rogue exec_env");
  EXPECT_EQ(state(0), FUSE_MODULE_STATE_UNLOADED);
}

TEST_F(CoreTest, LoadFailuresAreWordedAsTheContractSays) {
  struct Case {
    LoadEnd end;
    const char* error;
    const char* line;
  };
  for (const Case& c :
       {Case{LoadEnd::refused, "bad magic", "2 -1 wasm_runtime_load failed: bad magic"},
        Case{LoadEnd::no_step, "", "2 -1 module_step export not found"},
        Case{LoadEnd::export_type, "module_init", "2 -1 module_init export type mismatch"},
        Case{LoadEnd::not_linked, "import a.b not provided", "2 -1 instantiate failed: import a.b not provided"}}) {
    NativeModule module;
    module.load_end = c.end;
    module.load_error = c.error;
    fuse_module_id_t id = 0;
    EXPECT_EQ(try_load(module, any(), nullptr, &id), FUSE_ERR_MODULE_LOAD_FAILED);
    EXPECT_EQ(last_line(), c.line);
  }
}

TEST_F(CoreTest, CallsFromAHalCallbackAreRefusedAndQueriesAnswered) {
  std::vector<fuse_stat_t> refused;
  fuse_stat_t asked = FUSE_ERR_INVALID_ARG;
  std::uint32_t ticked = 1;
  NativeModule module;
  module.step = [](NativeGuest& guest) { guest.call("temp_get_reading"); };
  const auto id = run(module);
  world().on_temp = [&] {
    fuse_module_id_t other = 0;
    refused = {
        runtime->unload(id), runtime->run_step(id), runtime->pause(id), runtime->stop(),
        runtime->reset(id),  runtime->start(id),    runtime->restart(), try_load(tracer(0), any(), nullptr, &other)};
    ticked = runtime->tick();
    fuse_module_state_t s{};
    asked = runtime->state(id, &s);
    EXPECT_EQ(runtime->post_event(1), FUSE_SUCCESS);
  };
  EXPECT_EQ(runtime->run_step(id), FUSE_SUCCESS);
  EXPECT_THAT(refused, ::testing::Each(FUSE_ERR_INVALID_ARG));
  EXPECT_EQ(ticked, 0u);
  EXPECT_EQ(asked, FUSE_SUCCESS);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_RUNNING);
  EXPECT_THAT(log_lines(), Contains("2 0 re-entrant call refused: fuse_module_unload"));
}

TEST_F(CoreTest, AClockThatCallsBackIsRefusedWithoutEnd) {
  run(tracer(0));
  world().on_clock = [&] { runtime->tick(); };
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_THAT(log_lines(), Contains("2 -1 re-entrant call refused: fuse_tick"));
}

TEST_F(CoreTest, AnExceptionOfACallbackIsATrapOfItsCaller) {
  NativeModule module;
  module.step = [](NativeGuest& guest) { guest.call("temp_get_reading"); };
  world().on_temp = [] { throw 1; };
  const auto id = run(module);
  EXPECT_EQ(runtime->run_step(id), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(last_line(), "2 0 module 0 trap: Exception: host callback exception");
  EXPECT_EQ(runtime->unload(id), FUSE_SUCCESS);
}

TEST_F(CoreTest, StopPausesRunningModulesAndResumeBringsBackThoseAlone) {
  const auto a = run(tracer(0));
  const auto b = run(tracer(1));
  const auto c = load(tracer(2));
  runtime->pause(b);
  runtime->stop();
  EXPECT_EQ(state(a), FUSE_MODULE_STATE_PAUSED);
  EXPECT_EQ(state(c), FUSE_MODULE_STATE_LOADED);
  EXPECT_EQ(runtime->tick(), 0u);
  EXPECT_EQ(runtime->run_step(a), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(runtime->resume_stopped(), FUSE_ERR_INVALID_ARG);
  runtime->restart();
  EXPECT_EQ(runtime->tick(), 0u);
  EXPECT_EQ(runtime->resume_stopped(), FUSE_SUCCESS);
  EXPECT_EQ(state(a), FUSE_MODULE_STATE_RUNNING);
  EXPECT_EQ(state(b), FUSE_MODULE_STATE_PAUSED);
}

TEST_F(CoreTest, ResetGivesAFreshInstanceUnderTheSameId) {
  NativeModule module;
  module.step = [](NativeGuest& guest) { guest.fail(kTrapUnreachable); };
  int inits = 0;
  module.init = [&](NativeGuest&) { ++inits; };
  const auto id = run(module, on_event(1));
  runtime->post_event(0);
  runtime->tick();
  const auto generation = info(id).generation;
  EXPECT_EQ(runtime->reset(id), FUSE_SUCCESS);
  EXPECT_EQ(last_line(), "1 0 module 0 reset");
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_LOADED);
  EXPECT_EQ(latch(id), 0u);
  EXPECT_EQ(info(id).generation, generation + 1);
  EXPECT_EQ(runtime->start(id), FUSE_SUCCESS);
  EXPECT_EQ(inits, 2);
  EXPECT_EQ(backend.instances, 1);
  EXPECT_EQ(runtime->reset(9), FUSE_ERR_MODULE_NOT_FOUND);
}

TEST_F(CoreTest, RestartsOnFaultAfterItsBackOffAsOftenAsAllowed) {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.restart = FUSE_RESTART_LIMITED;
  ext.restart_max = 2;
  ext.restart_backoff_us = 100;
  NativeModule module;
  module.step = [](NativeGuest& guest) { guest.fail(kTrapUnreachable); };
  const auto id = run(module, any(), &ext);
  for (std::uint32_t restart = 1; restart <= 2; ++restart) {
    runtime->tick();
    EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
    EXPECT_EQ(next_due(), 100u);
    port.ns += 99'999;
    runtime->tick();
    EXPECT_EQ(info(id).restarts, restart - 1);
    port.ns += 1;
    runtime->tick();  // restarted, and stepped at once
    EXPECT_EQ(info(id).restarts, restart);
    EXPECT_EQ(info(id).traps, restart + 1);
  }
  port.ns += 1'000'000;
  runtime->tick();
  EXPECT_EQ(info(id).restarts, 2u);
  EXPECT_EQ(next_due(), UINT64_MAX);
}

TEST_F(CoreTest, DriftFreePeriodsKeepTheirGridAndCountWhatWasMissed) {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.flags = FUSE_EXT_DRIFT_FREE;
  ext.phase_us = 100;
  const auto id = run(tracer(0), every(1000), &ext);  // started at 1,000,000
  EXPECT_EQ(runtime->tick(), 0u);
  world().clock_us = 1'000'100;
  EXPECT_EQ(runtime->tick(), 1u);
  world().clock_us = 1'001'300;  // 200 late
  EXPECT_EQ(runtime->tick(), 1u);
  world().clock_us = 1'002'099;
  EXPECT_EQ(runtime->tick(), 0u);
  world().clock_us = 1'002'100;
  EXPECT_EQ(runtime->tick(), 1u);
  world().clock_us = 1'005'500;
  EXPECT_EQ(runtime->tick(), 1u);
  EXPECT_EQ(info(id).missed_periods, 2u);
  EXPECT_EQ(next_due(), 600u);
}

TEST_F(CoreTest, MissedPeriodsAndDeadlinesAreCounted) {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.deadline_us = 50;
  const auto id = run(tracer(0), every(1000), &ext);
  runtime->tick();
  world().clock_us += 1050;
  runtime->tick();
  EXPECT_EQ(info(id).missed_deadlines, 0u);
  EXPECT_EQ(info(id).missed_periods, 0u);
  world().clock_us += 1051;
  runtime->tick();
  EXPECT_EQ(info(id).missed_deadlines, 1u);
  world().clock_us += 3000;
  runtime->tick();
  EXPECT_EQ(info(id).missed_periods, 2u);
}

TEST_F(CoreTest, TimeBetweenStepsIsNotAStepsTime) {
  fuse_policy_t policy = any();
  policy.cpu_quota_us = 500;
  NativeModule module;
  module.step = [this](NativeGuest&) { port.ns += 7'000; };
  const auto id = run(module, policy);
  port.ns = 1'000'000;
  runtime->run_step(id);
  port.ns += 5'000'000;
  runtime->run_step(id);
  EXPECT_EQ(info(id).step_last_us, 7u);
  port.ns += 5'000'000;
  runtime->tick();
  port.ns += 5'000'000;
  runtime->tick();
  EXPECT_EQ(info(id).step_max_us, 7u);
}

TEST_F(CoreTest, NextDueIsTheEarliestOfAllReasonsToTick) {
  EXPECT_EQ(next_due(), UINT64_MAX);
  const auto timed = run(tracer(0), every(1000));
  EXPECT_EQ(next_due(), 0u);
  runtime->tick();
  world().clock_us += 300;
  EXPECT_EQ(next_due(), 700u);
  const auto event = run(tracer(1), on_event(1));
  EXPECT_EQ(next_due(), 700u);
  runtime->post_event(0);
  EXPECT_EQ(next_due(), 0u);
  runtime->pause(event);
  EXPECT_EQ(next_due(), 700u);
  runtime->pause(timed);
  EXPECT_EQ(next_due(), UINT64_MAX);
}

TEST_F(CoreTest, AGuestsLogCanNeitherForgeNorFlushWhatTheRuntimeWrites) {
  NativeModule flood;
  flood.step = [](NativeGuest& guest) {
    std::strcpy(reinterpret_cast<char*>(guest.instance.memory.data()), "SECURITY: forged");
    for (int i = 0; i < 500; ++i) guest.call("module_log_event", 0, 16, 2);
  };
  NativeModule bad;
  bad.step = [](NativeGuest& guest) { guest.fail(kTrapUnreachable); };
  run(bad);
  run(flood);
  runtime->tick();
  EXPECT_THAT(log_lines(), Not(Contains("2 0 module 0 trap: Exception: unreachable")));
  std::uint64_t cursor = 0;
  std::uint32_t n = 0;
  fuse_log_record_t records[4];
  ASSERT_EQ(runtime->evidence_read(&cursor, records, 4, &n), FUSE_SUCCESS);
  ASSERT_EQ(n, 1u);
  EXPECT_STREQ(records[0].entry.message, "module 0 trap: Exception: unreachable");
  cursor = 0;
  ASSERT_EQ(runtime->log_read(&cursor, records, 1, &n), FUSE_SUCCESS);
  EXPECT_EQ(records[0].origin, static_cast<std::uint32_t>(FUSE_LOG_ORIGIN_GUEST));
  fuse_log_stats_t stats{};
  runtime->log_stats(&stats);
  EXPECT_EQ(stats.overwritten, stats.written - 200);
  EXPECT_EQ(records[0].sequence, stats.overwritten);
}

TEST_F(CoreTest, LogEntriesPerStepAreLimitedAndCounted) {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.log_entries_per_step = 3;
  NativeModule module;
  module.step = [](NativeGuest& guest) {
    for (int i = 0; i < 5; ++i) guest.call("module_log_event", 0, 1, 1);
  };
  const auto id = run(module, any(), &ext);
  runtime->tick();
  runtime->tick();
  EXPECT_EQ(info(id).log_written, 6u);
  EXPECT_EQ(info(id).log_dropped, 4u);
}

TEST_F(CoreTest, TheModulesHashMustBeThePolicys) {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  ext.flags = FUSE_EXT_SHA256;
  std::memset(ext.sha256, 1, sizeof ext.sha256);  // ManualPort: the size of the bytes, 32 times
  load(tracer(0), any(), &ext);
  EXPECT_EQ(status, FUSE_SUCCESS);
  ext.sha256[31] = 2;
  load(tracer(0), any(), &ext);
  EXPECT_EQ(status, FUSE_ERR_POLICY_VIOLATION);
}

TEST(Core, WorksWithoutAClockARingOrRoomInThePool) {
  CoreFixture f;
  edge::Setup setup = f.setup();
  setup.hal = Hal{};
  setup.log_memory_size = 143;
  ASSERT_EQ(Runtime::create(setup, &f.runtime), FUSE_SUCCESS);
  const auto id = f.run(NativeModule{});
  EXPECT_EQ(f.runtime->tick(), 1u);
  EXPECT_EQ(f.runtime->tick(), 1u);
  EXPECT_EQ(f.info(id).steps_ok, 2u);
  fuse_log_stats_t stats{};
  f.runtime->log_stats(&stats);
  EXPECT_EQ(stats.capacity, 0u);
  EXPECT_GT(stats.evidence_capacity, 0u);
}

TEST(Core, AFullPoolRefusesTheLoadAndGivesBackWhatItTook) {
  CoreFixture f;
  edge::Setup setup = f.setup();
  setup.module_memory_size = 8192;
  ASSERT_EQ(Runtime::create(setup, &f.runtime), FUSE_SUCCESS);
  f.backend.modules.emplace_back();
  const std::vector<std::uint8_t> large(8192, 0);
  fuse_module_id_t id = 5;
  EXPECT_EQ(f.runtime->load(large.data(), 8192, CoreFixture::any(), {}, &id), FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_EQ(f.last_line(), "2 -1 wasm_runtime_load failed: module memory is full: 8192 bytes needed");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(f.runtime->load(large.data(), 600, CoreFixture::any(), {}, &id), FUSE_SUCCESS) << i;
    f.runtime->unload(id);
  }
}

TEST(Core, ATinyPoolIsRefusedOrHoldsFewerModules) {
  for (std::size_t size = 1; size < 6000; size += 7) {
    CoreFixture f;
    edge::Setup setup = f.setup();
    setup.module_memory = f.pool.data() + 1;
    setup.module_memory_size = size;
    if (Runtime::create(setup, &f.runtime) != FUSE_SUCCESS) continue;
    fuse_module_id_t id = 0;
    f.try_load(NativeModule{}, CoreFixture::any(), nullptr, &id);
  }
}

TEST(Core, AThousandModulesRunAndOnlyTheDueOne) {
  auto memory = std::make_unique<std::array<std::uint8_t, 2 << 20>>();
  CoreFixture f;
  edge::Setup setup = f.setup();
  setup.options.max_modules = 1000;
  setup.module_memory = memory->data();
  setup.module_memory_size = memory->size();
  ASSERT_EQ(Runtime::create(setup, &f.runtime), FUSE_SUCCESS);
  f.backend.modules.emplace_back();
  const std::uint8_t bytes = 0;
  fuse_policy_t policy = CoreFixture::any();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    policy.step_interval_us = i == 777 ? 1000 : 1'000'000'000;
    fuse_module_id_t id = 0;
    ASSERT_EQ(f.runtime->load(&bytes, 1, policy, {}, &id), FUSE_SUCCESS);
    f.runtime->start(id);
  }
  fuse_module_id_t id = 0;
  EXPECT_EQ(f.runtime->load(&bytes, 1, policy, {}, &id), FUSE_ERR_MODULE_LIMIT);
  std::uint32_t n = 0;
  f.runtime->tick(nullptr, 0, &n);
  EXPECT_EQ(n, 1000u);
  CoreFixture::world().clock_us += 1000;
  CoreFixture::world().clock_reads = 0;
  std::array<fuse_module_id_t, 4> ids{};
  EXPECT_EQ(f.runtime->tick(ids.data(), 4, &n), 0u);  // the mask has ids below 32 only
  EXPECT_EQ(n, 1u);
  EXPECT_EQ(ids[0], 777u);
  EXPECT_LE(CoreFixture::world().clock_reads, 2);
}

}  // namespace
}  // namespace fusebox::edge
