// Contract section 12; rows 1, 2, 12, 13, 14, 15, 16, 20 of section 15: budgets in every phase, on modules that spin.
//
// Nothing here asserts how soon a stop comes: a test that is not stopped never ends.
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <thread>

#include "edge/capi/fuse_fixture.h"
#include "platform/platform.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Contains;

constexpr std::uint32_t kShortUs = 2000;
constexpr std::uint32_t kLongUs = 60'000'000;  // longer than any test takes

std::uint64_t thread_cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

void burn(std::uint64_t us) {
  const std::uint64_t until = thread_cpu_us() + us;
  while (thread_cpu_us() < until) {
  }
}

class Quota : public FuseTest {
 protected:
  static void expect_stopped(fuse_module_id_t id) {
    EXPECT_EQ(state(id), FUSE_MODULE_STATE_QUOTA_EXCEEDED);
    EXPECT_EQ(last_line(), "2 " + std::to_string(id) + " module " + std::to_string(id) + " quota exceeded");
    EXPECT_EQ(info(id).quota_stops, 1u);
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_INVALID_ARG);
    EXPECT_EQ(fuse_module_start(id), FUSE_ERR_INVALID_ARG);
  }
  // Tells through the HAL that it runs, then spins.
  static std::string calls_then_spins() { return with_imports("(drop (call $temp)) (loop $l (br $l))"); }
};

TEST_F(Quota, ALoopWithoutCallsIsStopped) {
  const auto id = run(kSpin, with_quota(kShortUs));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  expect_stopped(id);
  EXPECT_EQ(world().arms, 1);
  EXPECT_EQ(world().cancels, 1);
}

TEST_F(Quota, ALoopIsStoppedThoughTheHostHasNoTimer) {
  fuse_deinit();
  ASSERT_EQ(open_with(fuse_hal_t{}), FUSE_SUCCESS);
  const auto id = run(kSpin, with_quota(kShortUs));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  expect_stopped(id);
}

TEST_F(Quota, ALoopOfImportCallsIsStopped) {
  const auto id = run(with_imports("(loop $l (drop (call $time)) (br $l))"), with_quota(kShortUs));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  expect_stopped(id);
}

TEST_F(Quota, EndlessRecursionThatNeverGrowsTheStackIsStopped) {
  const auto id =
      run(R"((module (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))
      (call $f (i32.sub (local.get 0) (i32.const 1)))))) (func (export "module_step") (call $f (i32.const 60)))))",
          with_quota(kShortUs));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  expect_stopped(id);
}

TEST_F(Quota, ABulkOperationIsStoppedOnItsWay) {
  for (const char* step : {"(memory.fill (i32.const 0) (i32.const 7) (i32.const 0x10000000))",
                           "(memory.copy (i32.const 0) (i32.const 0x08000000) (i32.const 0x08000000))"}) {
    const std::string text =
        std::string("(module (memory 4096) (func (export \"module_step\") (loop $l ") + step + "(br $l))))";
    const auto id = run(text, with_quota(200));
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
    expect_stopped(id);
    fuse_module_unload(id);
  }
}

TEST_F(Quota, AStepWithinItsQuotaCompletes) {
  const auto id = run(kNothing, with_quota(kLongUs));
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
    EXPECT_EQ(world().arms, i);
    EXPECT_EQ(world().cancels, i);
  }
}

TEST_F(Quota, WithoutAQuotaNothingIsArmed) {
  const auto id = run(kNothing);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(world().arms + world().cancels, 0);
}

TEST_F(Quota, CancelFollowsEveryArmWhateverTheOutcome) {
  const auto trapped = run(kTrap, with_quota(kLongUs));
  EXPECT_EQ(fuse_module_run_step(trapped), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(world().arms, 1);
  EXPECT_EQ(world().cancels, 1);
  std::vector<std::uint32_t> armed;
  world().arm = [&](fuse_module_id_t id, std::uint32_t us) { armed = {id, us}; };
  const auto id = run(kNothing, with_quota(777'777));
  fuse_module_run_step(id);
  EXPECT_THAT(armed, ::testing::ElementsAre(id, 777'777));
}

TEST_F(Quota, TheCeilingBoundsStepsWithoutAQuota) {
  fuse_options_t with = options();
  with.step_ceiling_us = kShortUs;
  ASSERT_EQ(reopen(with), FUSE_SUCCESS);
  const auto id = run(kSpin);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  expect_stopped(id);
  EXPECT_EQ(world().arms, 0);
}

TEST_F(Quota, NeighboursOfASpinningModuleRun) {
  const auto before = run(kNothing);
  const auto spins = run(kSpin, with_quota(kShortUs));
  const auto after = run(kNothing);
  EXPECT_EQ(fuse_tick(), 1u << before | 1u << after);
  expect_stopped(spins);
  EXPECT_EQ(fuse_tick(), 1u << before | 1u << after);
}

TEST_F(Quota, InitHasTheLifecycleBudget) {
  fuse_options_t with = options();
  with.lifecycle_budget_us = kShortUs;
  ASSERT_EQ(reopen(with), FUSE_SUCCESS);
  const char text[] = R"((module (func (export "module_init") (loop $l (br $l))) (func (export "module_step"))))";
  auto id = load(text);
  EXPECT_EQ(fuse_module_start(id), FUSE_ERR_QUOTA_EXCEEDED);
  EXPECT_EQ(last_line(), "2 0 module_init quota mod=0");
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_QUOTA_EXCEEDED);
  EXPECT_EQ(world().arms, 0);
  fuse_policy_ext_t ext = extension();
  ext.init_budget_us = kShortUs;
  ASSERT_EQ(reopen(options()), FUSE_SUCCESS);
  id = load(text, with_quota(kLongUs), &ext);
  EXPECT_EQ(fuse_module_start(id), FUSE_ERR_QUOTA_EXCEEDED);
}

TEST_F(Quota, TheStepsQuotaDoesNotBoundInit) {
  const auto id = load(R"((module (func (export "module_init") (local i32)
      (loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3000000)))))
      (func (export "module_step"))))",
                       with_quota(1));
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
}

TEST_F(Quota, DeinitHasTheLifecycleBudgetAndNeverKeepsAModule) {
  fuse_options_t with = options();
  with.lifecycle_budget_us = kShortUs;
  ASSERT_EQ(reopen(with), FUSE_SUCCESS);
  const auto id = run(R"((module (func (export "module_deinit") (loop $l (br $l))) (func (export "module_step"))))",
                      with_quota(kLongUs));
  EXPECT_EQ(fuse_module_unload(id), FUSE_SUCCESS);
  EXPECT_EQ(line_before_last(), "2 0 module_deinit quota mod=0");
  EXPECT_EQ(last_line(), "1 0 module 0 unloaded");
  EXPECT_EQ(world().arms, 0);
  EXPECT_EQ(run(kNothing), id);
}

TEST_F(Quota, AResetAfterAStopGivesARunningModuleAgain) {
  const auto id =
      run(with_imports("(if (i32.eqz (i32.load (i32.const 0))) (then (i32.store (i32.const 0) (i32.const 1)))"
                       "(else (loop $l (br $l))))"),
          with_quota(kShortUs));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
    EXPECT_EQ(fuse_module_reset(id), FUSE_SUCCESS);
    EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
  }
}

// ---- expiries of the host

TEST_F(Quota, AnExpiryBeforeTheGuestBeginsKeepsItsBodyFromRunning) {
  int ran = 0;
  world().temp = [&] { return static_cast<float>(++ran); };
  const auto id = run(with_imports("(drop (call $temp))"), with_quota(kLongUs));
  world().arm = [](fuse_module_id_t mid, std::uint32_t) { fuse_quota_expired(mid); };
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(world().cancels, 1);
  expect_stopped(id);
}

TEST_F(Quota, AnExpiryAfterTheStepHasNoEffectOnItOrTheNext) {
  const auto id = run(kNothing, with_quota(kLongUs));
  world().cancel = [](fuse_module_id_t mid) { fuse_quota_expired(mid); };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_RUNNING);
  EXPECT_EQ(info(id).quota_stops, 0u);
}

TEST_F(Quota, StrayExpiriesAreIgnored) {
  const auto id = load(kNothing, with_quota(kLongUs));
  const auto expire_all = [] {
    for (const fuse_module_id_t each : {0u, 1u, 7u, 8u, 4096u, kNone}) fuse_quota_expired(each);
  };
  const std::size_t lines = records().size();
  expire_all();
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_LOADED);
  EXPECT_EQ(records().size(), lines);
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
  expire_all();
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  fuse_module_pause(id);
  expire_all();
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_PAUSED);
  fuse_module_start(id);
  EXPECT_EQ(fuse_tick(), 1u);
}

TEST_F(Quota, AnExpiryInsideAHalCallbackEndsTheStepBeforeTheGuestGoesOn) {
  int calls = 0;
  world().temp = [&] {
    ++calls;
    fuse_quota_expired(0);
    return 0.f;
  };
  const auto id = run(with_imports("(drop (call $temp)) (drop (call $temp))"));  // quota 0: stopped all the same
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  if (kSignalsStopGuests) {
    EXPECT_EQ(calls, 1);
  }
  expect_stopped(id);
}

TEST_F(Quota, AnExpiryOfAnotherModuleIsItsOwn) {
  world().temp = [] {
    fuse_quota_expired(1);
    return 0.f;
  };
  const auto id = run(with_imports("(drop (call $temp))"));
  run(kNothing);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(1), FUSE_SUCCESS);
}

TEST_F(Quota, AnotherThreadStopsASpinningStep) {
  std::atomic<bool> runs{false};
  world().temp = [&] {
    runs = true;
    return 0.f;
  };
  const auto id = run(calls_then_spins());
  std::thread host([&] {
    while (!runs) std::this_thread::yield();
    fuse_quota_expired(id);
  });
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  host.join();
  expect_stopped(id);
}

TEST_F(Quota, ASignalHandlerOnTheSteppingThreadStopsIt) {
  if (!kSignalsStopGuests) GTEST_SKIP();
  struct sigaction action{};
  struct sigaction old{};
  action.sa_handler = [](int) { fuse_quota_expired(0); };
  ASSERT_EQ(::sigaction(SIGUSR2, &action, &old), 0);
  std::atomic<bool> runs{false};
  world().temp = [&] {
    runs = true;
    return 0.f;
  };
  const auto id = run(calls_then_spins());
  const pthread_t stepping = ::pthread_self();
  std::thread host([&] {
    while (!runs) std::this_thread::yield();
    ::pthread_kill(stepping, SIGUSR2);
  });
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  host.join();
  ::sigaction(SIGUSR2, &old, nullptr);
  expect_stopped(id);
}

TEST_F(Quota, ThePlatformsTimerStopsAStepWhoseCpuQuotaIsLonger) {
  fuse_platform_init();
  fuse_hal_t hal = whole_hal();
  hal.quota_arm = [](fuse_module_id_t id, std::uint32_t) { fuse_platform_quota_arm(id, kShortUs); };
  hal.quota_cancel = &fuse_platform_quota_cancel;
  fuse_deinit();
  ASSERT_EQ(open_with(hal), FUSE_SUCCESS);
  const auto id = run(kSpin, with_quota(kLongUs));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  expect_stopped(id);
}

TEST_F(Quota, ThePlatformsTimerLeavesQuickStepsAlone) {
  fuse_platform_init();
  fuse_hal_t hal{};
  hal.timer.get_timestamp = &fuse_platform_get_timestamp_us;
  hal.quota_arm = &fuse_platform_quota_arm;
  hal.quota_cancel = &fuse_platform_quota_cancel;
  fuse_deinit();
  ASSERT_EQ(open_with(hal), FUSE_SUCCESS);
  const auto id = run(kNothing, with_quota(kLongUs));
  for (int i = 0; i < 200; ++i) ASSERT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
}

TEST_F(Quota, NoTimerOfTheProcessAndNoAlarmIsUsed) {
  const auto id = run(kSpin, with_quota(kShortUs));
  world().arm = [](fuse_module_id_t, std::uint32_t) {
    struct sigaction action{};
    ASSERT_EQ(::sigaction(SIGALRM, nullptr, &action), 0);
    EXPECT_EQ(action.sa_handler, SIG_DFL);
  };
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
}

TEST_F(Quota, ExpiriesAndPostsAtAnyMomentStopAStepOrDoNothing) {
  std::atomic<bool> over{false};
  std::thread host([&] {
    while (!over) {
      for (fuse_module_id_t id = 0; id < 3; ++id) fuse_quota_expired(id);
      fuse_post_event(0);
      fuse_clear_event(1);
      std::this_thread::yield();
    }
  });
  const base::Bytes wasm = fusebox::test::wat(kNothing);
  fuse_policy_t policy = any_policy();
  policy.event_subscribe = 3;
  for (int i = 0; i < 300; ++i) {
    fuse_module_id_t id = kNone;
    ASSERT_EQ(try_load(wasm, policy, &id), FUSE_SUCCESS);
    ASSERT_EQ(fuse_module_start(id), FUSE_SUCCESS);  // no module_init: nothing is in flight
    const fuse_stat_t status = fuse_module_run_step(id);
    ASSERT_EQ(state(id), status == FUSE_SUCCESS ? FUSE_MODULE_STATE_RUNNING : FUSE_MODULE_STATE_QUOTA_EXCEEDED);
    ASSERT_TRUE(status == FUSE_SUCCESS || status == FUSE_ERR_QUOTA_EXCEEDED);
    ASSERT_EQ(fuse_module_unload(id), FUSE_SUCCESS);
  }
  over = true;
  host.join();
}

// ---- time of HAL callbacks

TEST_F(Quota, TheTimeOfACallbackIsTheModules) {
  int calls = 0;
  world().temp = [&] {
    ++calls;
    burn(20 * kShortUs);
    return 0.f;
  };
  const auto id = run(with_imports("(drop (call $temp)) (drop (call $temp))"), with_quota(kShortUs));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  if (kSignalsStopGuests) {
    EXPECT_EQ(calls, 1);
  }
  expect_stopped(id);
}

TEST_F(Quota, ABlockedCallbackIsWaitedForAndTheGuestDoesNotGoOn) {
  std::atomic<bool> blocked{false};
  std::atomic<bool> expired{false};
  int calls = 0;
  world().temp = [&] {
    ++calls;
    blocked = true;
    while (!expired) std::this_thread::yield();
    return 0.f;
  };
  const auto id = run(with_imports("(drop (call $temp)) (drop (call $temp))"), with_quota(kLongUs));
  std::thread host([&] {
    while (!blocked) std::this_thread::yield();
    fuse_quota_expired(id);
    expired = true;
  });
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_QUOTA_EXCEEDED);
  host.join();
  if (kSignalsStopGuests) {
    EXPECT_EQ(calls, 1);
  }
}

TEST_F(Quota, TheFirstTouchOfAMemoryHappensAtLoad) {
  const auto id = run(R"((module (memory 62) (func (export "module_step") (local i32)
      (loop $l (i32.store8 (local.get 0) (i32.const 1))
        (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 4096))) (i32.const 4063232)))))))",
                      with_quota(1'000'000));
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &before);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  ::getrusage(RUSAGE_THREAD, &after);
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 100);  // of 992 pages; the rest is code and stacks
}

// ---- ticks

class Ticks : public Quota {
 protected:
  static constexpr char kLoop[] = R"((module (func (export "module_step") (local i32)
      (loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000)))))))";

  static std::uint64_t spent(const char* text) {
    const auto id = run(text);
    EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
    const std::uint64_t ticks = info(id).ticks_last;
    EXPECT_EQ(info(id).ticks_total, ticks);
    fuse_module_unload(id);
    return ticks;
  }
  static fuse_stat_t under(std::uint64_t budget) {
    fuse_policy_ext_t ext = extension();
    ext.tick_budget = budget;
    return step_once(kLoop, any_policy(), &ext);
  }
};

TEST_F(Ticks, AreTheSameInEveryRunReloadAndRuntime) {
  const std::uint64_t first = spent(kLoop);
  EXPECT_GT(first, 3000u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(spent(kLoop), first);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(reopen(options()), FUSE_SUCCESS);
    EXPECT_EQ(spent(kLoop), first);
  }
}

TEST_F(Ticks, ABudgetIsExactAndTheSameEveryTime) {
  const std::uint64_t all = spent(kLoop);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(under(all), FUSE_SUCCESS);
    EXPECT_EQ(under(all - 1), FUSE_ERR_QUOTA_EXCEEDED);
    EXPECT_EQ(under(1), FUSE_ERR_QUOTA_EXCEEDED);
    EXPECT_EQ(under(0), FUSE_SUCCESS);  // off
  }
  EXPECT_THAT(log_lines(), Contains("2 0 module 0 quota exceeded"));
}

TEST_F(Ticks, TheGuestsStateAtTheStopIsTheSameEveryTime) {
  fuse_policy_ext_t ext = extension();
  ext.tick_budget = 5000;
  std::vector<std::string> seen;
  world().temp = [&] { return 0.f; };
  for (int i = 0; i < 4; ++i) {
    int calls = 0;
    world().temp = [&] { return static_cast<float>(++calls); };
    EXPECT_EQ(step_once(with_imports("(loop $l (drop (call $temp)) (br $l))"), any_policy(), &ext),
              FUSE_ERR_QUOTA_EXCEEDED);
    seen.push_back(std::to_string(calls));
  }
  EXPECT_THAT(seen, ::testing::Each(seen.front()));
  EXPECT_NE(seen.front(), "0");
}

}  // namespace
}  // namespace fusebox::edge::test
