// Contract section 15, row by row: which test shows it, and the rows that no other file has.
//
//  1 loops without calls       Quota.ALoopWithoutCallsIsStopped, .ABulkOperationIsStoppedOnItsWay
//  2 every phase is bounded    Quota.InitHas..., .DeinitHas..., .ALoopIsStoppedThoughTheHostHasNoTimer,
//                              Refusals.AStartFunction...
//  3 typed exports             Refusals.ExportsOfTheWrongKindOrType
//  4 verified modules          Refusals.WhatIsNotAModule, .InvalidCode..., Integrity.*
//  5 initial pages             Refusals.InitialMemoryAboveThePolicy
//  6 stack                     here
//  7 heap_size                 Refusals.TheHeapSizeAddsNoAddresses (the compat option: src/edge/wasm)
//  8 imports at load           Refusals.ImportsThatAreNotThere, .ImportsOfAnotherType, .ImportsOfAnotherKind
//  9 capability first, i64     Imports.EveryMissingCapability..., .ACameraBuffer..., .AResultOf32Bits...
// 10 linear memory             Refusals.MemoryGrowsToTheLeastOfItsLimits
// 11 events during a step      Lifecycle.AnEventPosted...
// 12 expiry before             Quota.AnExpiryBeforeTheGuestBegins...
// 13 expiry after              Quota.AnExpiryAfterTheStep...
// 14 stray expiries            Quota.StrayExpiriesAreIgnored, .ExpiriesAndPosts...
// 15 handlers touch atomics    here, and Quota.ASignalHandler...
// 16 no process-wide timer     Quota.NoTimerOfTheProcess..., and platform/linux
// 17 the platform's timer      platform/linux (another platform: a later one)
// 18 any thread                Lifecycle.AnyThreadStepsAnyModule
// 19 re-entrant callbacks      Reentry.*
// 20 first touch               Quota.TheFirstTouchOfAMemoryHappensAtLoad
// 21, 22                       not yet there
// 23 terminal states           Lifecycle.TerminalModulesComeBackByReset, .AutomaticRestarts...
// 24 module_deinit             Lifecycle.DeinitRuns...
// 25 teardown, runtimes        Codes.InitIsRefusedTwice..., Runtimes.*
// 26 stale ids                 Codes.StaleHandlesAreFive
// 27 paused by stop            Lifecycle.ResumeBringsBack..., .StartAndPauseClear...
// 28 log                       Log.AReader..., .AGuestCanNeither..., .EntriesOfAStep...
// 29 log capacity 0            Log.WithoutARingTheEvidenceIsKept
// 30 accounts, next due        Lifecycle.ModulesAreAccountedFor, .PeriodsRunAtEquality...
// 31 policies                  PolicyBin.*, PolicyValidate.*, Refusals.UnknownBits... (the configuration: src/edge/config)
// 32 HAL layout                Init.AHalWhoseSize..., .AHostWithFewerGroups..., tests/hal_groups
// 33 engine text               Log.NothingGoesToStandardOutput, Codes.RefusalsSayWhyOnTheirThread
// 34 the library's name        tests/install
#include <signal.h>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Not;

class Section15 : public FuseTest {};

// Row 6. A call of `depth` frames, each with a few values on the stack.
std::string recursion(int depth) {
  return R"((module (func $r (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (local.get 0) (call $r (i32.sub (local.get 0) (i32.const 1)))))
        (else (i32.const 0))))
    (func (export "module_step") (drop (call $r (i32.const )" +
         std::to_string(depth) + ")))))";
}

TEST_F(Section15, Row6TheStackIsWhatThePolicySays) {
  fuse_options_t with = options();
  with.stack_floor_bytes = 64u << 10;
  ASSERT_EQ(reopen(with), FUSE_SUCCESS);
  fuse_policy_t small = any_policy();
  fuse_policy_t large = any_policy();
  large.stack_size = 8u << 20;
  EXPECT_EQ(step_once(recursion(100), small), FUSE_SUCCESS);  // stack_size 0: the floor
  EXPECT_EQ(step_once(recursion(30'000), small), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(line_before_last(), "2 0 module 0 trap: Exception: native stack overflow");
  EXPECT_EQ(step_once(recursion(30'000), large), FUSE_SUCCESS);
  EXPECT_EQ(step_once(recursion(10'000'000), large), FUSE_ERR_MODULE_TRAP);
  small.stack_size = 1;  // below the floor
  EXPECT_EQ(step_once(recursion(100), small), FUSE_SUCCESS);
}

TEST_F(Section15, Row6TheFloorOfOneMebibyteNeedsNoOption) {
  EXPECT_EQ(step_once(recursion(5'000)), FUSE_SUCCESS);
  EXPECT_EQ(step_once(recursion(1'000'000)), FUSE_ERR_MODULE_TRAP);
}

TEST_F(Section15, Row6OverflowsAreTheSameOnEveryThreadAndTheRuntimeGoesOn) {
  const auto id = run(recursion(1'000'000));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(fuse_module_reset(id), FUSE_SUCCESS);
    EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
  }
  EXPECT_EQ(step_once(kNothing), FUSE_SUCCESS);
}

// Row 15. The handler interrupts the runtime where it holds its lock, reads its clock, and where a guest runs.
TEST_F(Section15, Row15HandlersMayCallTheThreeAnywhereAndTheLogIsUntouched) {
  struct sigaction action{};
  struct sigaction old{};
  action.sa_handler = [](int) {
    fuse_post_event(3);
    fuse_clear_event(4);
    fuse_quota_expired(1);  // not in flight
  };
  ASSERT_EQ(::sigaction(SIGUSR2, &action, &old), 0);
  fuse_policy_t policy = with_quota(60'000'000);
  policy.event_subscribe = 1u << 3 | 1u << 4;
  const auto id = run(with_imports("(drop (call $temp)) (drop (call $frame (i32.const 0) (i32.const 1)))"), policy);
  run(kNothing);
  fuse_post_event(4);
  int raised = 0;
  const auto raise = [&] {
    ++raised;
    ::raise(SIGUSR2);
  };
  world().temp = [&] {
    raise();
    return 0.f;
  };
  world().frame = [&](void*, std::uint32_t) {
    raise();
    return std::uint64_t{0};
  };
  world().clock = [&] {
    raise();
    return world().clock_us;
  };
  world().arm = [&](fuse_module_id_t, std::uint32_t) { raise(); };
  world().cancel = [&](fuse_module_id_t) { raise(); };
  const std::size_t lines = records().size();
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(raised, 5);
  EXPECT_EQ(latch(id), 1u << 3);
  EXPECT_EQ(records().size(), lines);
  EXPECT_EQ(state(1), FUSE_MODULE_STATE_RUNNING);
  fuse_module_pause(id);  // its log entry reads the clock, under the lock
  EXPECT_EQ(raised, 6);
  ::sigaction(SIGUSR2, &old, nullptr);
  EXPECT_EQ(info(id).events_coalesced, 5u);
}

}  // namespace
}  // namespace fusebox::edge::test
