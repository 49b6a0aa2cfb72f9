// Contract sections 10 and 11; rows 11, 18, 22-27, 30 of section 15: states, restarts, events and periods of real modules.
#include <atomic>
#include <thread>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

// Adds one to the i32 at 0 in module_init, to that at 4 in module_step, to that at 8 in module_deinit, and logs the three.
constexpr char kCounts[] = R"((module
  (import "env" "module_log_event" (func $log (param i32 i32 i32)))
  (memory 1)
  (data (i32.const 0) "000")
  (func $count (param i32)
    (i32.store8 (local.get 0) (i32.add (i32.load8_u (local.get 0)) (i32.const 1)))
    (call $log (i32.const 0) (i32.const 3) (i32.const 1)))
  (func (export "module_init") (call $count (i32.const 0)))
  (func (export "module_step") (call $count (i32.const 1)))
  (func (export "module_deinit") (call $count (i32.const 2)))))";

class Lifecycle : public FuseTest {
 protected:
  static fuse_policy_t on_events(std::uint32_t events, std::uint32_t activation = FUSE_ACTIVATION_EVENT) {
    fuse_policy_t policy = any_policy();
    policy.activation_mask = activation;
    policy.event_subscribe = events;
    return policy;
  }
  static fuse_policy_t every(std::uint32_t us) {
    fuse_policy_t policy = any_policy();
    policy.step_interval_us = us;
    return policy;
  }
};

TEST_F(Lifecycle, InitStepAndDeinitRunOnceEachInTheirPlaces) {
  const auto id = run(kCounts);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  fuse_module_pause(id);
  fuse_module_start(id);
  fuse_stop();
  fuse_restart();
  fuse_module_start(id);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_unload(id), FUSE_SUCCESS);
  EXPECT_THAT(log_lines(), ElementsAre("1 -1 FUSE runtime initialised", "1 0 module 0 loaded", "1 0 100",
                                       "0 0 module 0 running", "1 0 110", "0 0 module 0 paused", "0 0 module 0 running",
                                       "1 -1 FUSE runtime stopped", "1 -1 FUSE runtime restarted",
                                       "0 0 module 0 running", "1 0 120", "1 0 121", "1 0 module 0 unloaded"));
}

TEST_F(Lifecycle, DeinitRunsForModulesThatWereStartedAndAreNotTerminal) {
  constexpr char with_deinit[] = R"((module (import "env" "temp_get_reading" (func $temp (result f32)))
      (func (export "module_step") unreachable) (func (export "module_deinit") (drop (call $temp)))))";
  int ran = 0;
  world().temp = [&] { return static_cast<float>(++ran); };
  fuse_module_unload(load(with_deinit));
  EXPECT_EQ(ran, 0);
  fuse_module_unload(run(with_deinit));
  EXPECT_EQ(ran, 1);
  auto id = run(with_deinit);
  fuse_module_pause(id);
  fuse_stop();
  fuse_module_unload(id);  // PAUSED, and the runtime stopped
  fuse_restart();
  EXPECT_EQ(ran, 2);
  id = run(with_deinit);
  fuse_module_run_step(id);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
  fuse_module_unload(id);
  EXPECT_EQ(ran, 2);
  run(with_deinit);
  EXPECT_EQ(fuse_deinit(), FUSE_SUCCESS);
  EXPECT_EQ(ran, 3);
}

TEST_F(Lifecycle, AModuleStartedOnlyAfterItsResetRunsInitAgain) {
  const auto id = run(kCounts);
  fuse_module_run_step(id);
  EXPECT_EQ(fuse_module_reset(id), FUSE_SUCCESS);
  EXPECT_EQ(last_line(), "1 0 module 0 reset");
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_LOADED);
  fuse_module_start(id);
  EXPECT_THAT(log_lines()[log_lines().size() - 2], "1 0 100");  // a fresh memory
}

TEST_F(Lifecycle, TerminalModulesComeBackByReset) {
  const auto id =
      run(with_imports("(if (i32.eqz (i32.load (i32.const 0))) (then (i32.store (i32.const 0) (i32.const 1)))"
                       "(else unreachable))"),
          on_events(1, FUSE_ACTIVATION_INTERVAL));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
  fuse_post_event(0);
  const auto generation = info(id).generation;
  EXPECT_EQ(fuse_module_reset(id), FUSE_SUCCESS);
  EXPECT_EQ(info(id).generation, generation + 1);
  EXPECT_EQ(latch(id), 0u);
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
}

TEST_F(Lifecycle, AutomaticRestartsAreCountedAndEnd) {
  fuse_policy_ext_t ext = extension();
  ext.restart = FUSE_RESTART_LIMITED;
  ext.restart_max = 2;
  const auto id = run(kTrap, any_policy(), &ext);
  for (int i = 0; i < 10; ++i) fuse_tick();
  EXPECT_EQ(info(id).restarts, 2u);
  EXPECT_EQ(info(id).traps, 3u);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
  ext.restart = FUSE_RESTART_ALWAYS;
  const auto forever = run(kTrap, any_policy(), &ext);
  for (int i = 0; i < 10; ++i) fuse_tick();
  EXPECT_EQ(info(forever).restarts, 9u);
  fuse_module_unload(forever);
  fuse_tick();  // the restart that was due is forgotten
  EXPECT_EQ(load(kNothing), forever);
  fuse_tick();
  EXPECT_EQ(state(forever), FUSE_MODULE_STATE_LOADED);
}

TEST_F(Lifecycle, ResumeBringsBackWhatStopPausedAndNothingElse) {
  const auto stopped = run(kNothing);
  const auto deliberate = run(kNothing);
  const auto loaded = load(kNothing);
  const auto trapped = run(kTrap);
  fuse_module_run_step(trapped);
  fuse_module_pause(deliberate);
  fuse_stop();
  EXPECT_EQ(state(stopped), FUSE_MODULE_STATE_PAUSED);
  EXPECT_EQ(state(loaded), FUSE_MODULE_STATE_LOADED);
  EXPECT_EQ(state(trapped), FUSE_MODULE_STATE_TRAPPED);
  fuse_restart();
  EXPECT_EQ(state(stopped), FUSE_MODULE_STATE_PAUSED);
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(fuse_resume_stopped(), FUSE_SUCCESS);
  EXPECT_EQ(state(stopped), FUSE_MODULE_STATE_RUNNING);
  EXPECT_EQ(state(deliberate), FUSE_MODULE_STATE_PAUSED);
  EXPECT_EQ(fuse_tick(), 1u << stopped);
}

TEST_F(Lifecycle, StartAndPauseClearTheMarkOfStop) {
  const auto id = run(kNothing);
  fuse_stop();
  fuse_module_start(id);  // RUNNING by the host's own wish
  fuse_module_pause(id);
  fuse_restart();
  EXPECT_EQ(fuse_resume_stopped(), FUSE_SUCCESS);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_PAUSED);
}

TEST_F(Lifecycle, UnloadForgetsEverythingOfItsSlot) {
  const auto id = run(kNothing, on_events(0xFF, FUSE_ACTIVATION_EVENT));
  fuse_post_event(1);
  fuse_tick();
  fuse_post_event(2);
  fuse_module_unload(id);
  fuse_post_event(3);
  ASSERT_EQ(run(kNothing, on_events(0xFF, FUSE_ACTIVATION_EVENT)), id);
  EXPECT_EQ(latch(id), 0u);
  EXPECT_EQ(info(id).steps_ok, 0u);
  EXPECT_EQ(info(id).events_delivered, 0u);
  EXPECT_EQ(fuse_tick(), 0u);
}

TEST_F(Lifecycle, AnEventPostedDuringItsSubscribersStepIsKept) {
  const auto id = run(with_imports("(call $post (i32.const 0))"), on_events(1));
  fuse_post_event(0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(fuse_tick(), 1u);  // once in a tick, again in the next
    EXPECT_EQ(latch(id), 1u);
  }
  EXPECT_EQ(info(id).steps_ok, 3u);
  EXPECT_EQ(info(id).event_last_source, id);
}

TEST_F(Lifecycle, AnEventPostedByACallbackOrAnotherThreadDuringTheStepIsKept) {
  world().temp = [] {
    fuse_post_event(0);
    std::thread([] { fuse_post_event(1); }).join();
    return 0.f;
  };
  const auto id = run(with_imports("(drop (call $temp))"), on_events(3));
  fuse_post_event(0);
  EXPECT_EQ(fuse_tick(), 1u);
  EXPECT_EQ(latch(id), 3u);
  EXPECT_EQ(info(id).event_last_source, kNone);
}

TEST_F(Lifecycle, AFailedStepGetsBackWhatWasNotClearedMeanwhile) {
  world().temp = [] {
    fuse_clear_event(1);
    return 0.f;
  };
  const auto id = run(with_imports("(drop (call $temp)) unreachable"), on_events(7));
  fuse_post_event(0);
  fuse_post_event(1);
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
  EXPECT_EQ(latch(id), 1u);
}

TEST_F(Lifecycle, ChainsRunDownwardsInOneTickAndUpwardsInTheNext) {
  const auto low = run(kNothing, on_events(2));
  const auto producer = run(with_imports("(call $post (i32.const 1))"), on_events(1));
  const auto high = run(kNothing, on_events(2));
  fuse_post_event(0);
  EXPECT_EQ(fuse_tick(), 1u << producer | 1u << high);
  EXPECT_EQ(fuse_tick(), 1u << low);
  EXPECT_EQ(fuse_tick(), 0u);
}

TEST_F(Lifecycle, PeriodsRunAtEqualityNotBeforeAndNeverCatchUp) {
  const auto id = run(kNothing, every(1000));
  EXPECT_EQ(fuse_tick(), 1u);
  world().clock_us += 999;
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_INTERVAL_NOT_ELAPSED);
  std::uint64_t due = 0;
  EXPECT_EQ(fuse_next_due(&due), FUSE_SUCCESS);
  EXPECT_EQ(due, 1u);
  world().clock_us += 1;
  EXPECT_EQ(fuse_tick(), 1u);
  world().clock_us += 5000;
  EXPECT_EQ(fuse_tick(), 1u);
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(info(id).missed_periods, 4u);
}

TEST_F(Lifecycle, AClockThatJumpsOrWrapsNeverStopsAModuleForGood) {
  const auto id = run(kNothing, every(1000));
  EXPECT_EQ(fuse_tick(), 1u);
  for (const std::uint64_t now : {std::uint64_t{5}, ~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{1} << 63}) {
    world().clock_us = now;
    EXPECT_EQ(fuse_tick(), 1u) << now;
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_INTERVAL_NOT_ELAPSED);
  }
}

TEST_F(Lifecycle, TheIntervalSurvivesAPauseAndAnEventMovesIt) {
  fuse_policy_t policy = on_events(1, FUSE_ACTIVATION_EVENT | FUSE_ACTIVATION_INTERVAL);
  policy.step_interval_us = 1000;
  const auto id = run(kNothing, policy);
  EXPECT_EQ(fuse_tick(), 1u);
  world().clock_us += 500;
  fuse_module_pause(id);
  fuse_module_start(id);
  EXPECT_EQ(fuse_tick(), 0u);
  fuse_post_event(0);
  EXPECT_EQ(fuse_tick(), 1u);
  world().clock_us += 999;
  EXPECT_EQ(fuse_tick(), 0u);
  world().clock_us += 1;
  EXPECT_EQ(fuse_tick(), 1u);
}

TEST_F(Lifecycle, AnyThreadStepsAnyModule) {
  const auto id = run(with_imports("(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"
                                   "(drop (call $temp))"),
                      with_quota(60'000'000));
  std::vector<std::thread> threads;
  std::atomic<int> ok{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) ok += fuse_module_run_step(id) == FUSE_SUCCESS ? 1 : 0;
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(ok, 200);
  EXPECT_EQ(info(id).steps_ok, 200u);
  std::thread([&] { EXPECT_EQ(fuse_module_unload(id), FUSE_SUCCESS); }).join();
}

TEST_F(Lifecycle, StopsStartsAndPostsOfOtherThreadsNeverLoseAModule) {
  const auto id = run(kNothing, on_events(1, FUSE_ACTIVATION_EVENT | FUSE_ACTIVATION_INTERVAL));
  std::atomic<bool> over{false};
  std::thread stops([&] {
    while (!over) {
      fuse_stop();
      fuse_restart();
      fuse_resume_stopped();
    }
  });
  std::thread posts([&] {
    while (!over) {
      fuse_post_event(0);
      fuse_clear_event(0);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 500; ++i) fuse_tick();
  over = true;
  stops.join();
  posts.join();
  fuse_post_event(0);
  EXPECT_EQ(fuse_tick(), 1u << id);
}

TEST_F(Lifecycle, ModulesAreAccountedFor) {
  const auto id = run(with_imports("(call $log (i32.const 0) (i32.const 1) (i32.const 1))"
                                   "(drop (memory.grow (i32.const 1)))"),
                      on_events(1));
  fuse_post_event(0);
  fuse_post_event(0);
  fuse_tick();
  const fuse_module_info_t out = info(id);
  EXPECT_EQ(out.state, FUSE_MODULE_STATE_RUNNING);
  EXPECT_EQ(out.generation, 1u);
  EXPECT_EQ(out.policy.event_subscribe, 1u);
  EXPECT_EQ(out.pages, 2u);
  EXPECT_EQ(out.pages_peak, 2u);
  EXPECT_EQ(out.steps_ok, 1u);
  EXPECT_EQ(out.traps + out.quota_stops, 0u);
  EXPECT_EQ(out.events_delivered, 1u);
  EXPECT_EQ(out.events_coalesced, 1u);
  EXPECT_EQ(out.event_last_source, kNone);
  EXPECT_GE(out.step_max_us, out.step_last_us);
  EXPECT_GT(out.ticks_last, 0u);
  EXPECT_EQ(out.log_written, 1u);
  EXPECT_EQ(out.log_dropped, 0u);
  EXPECT_STREQ(out.trap_text, "");
}

}  // namespace
}  // namespace fusebox::edge::test
