// Contract section 4, "after load": no step, tick, event, log call or query on a real module asks for heap memory, from
// the first one on. A thread that steps without having loaded anything is set up by its first step; the next needs nothing.
#include <thread>

#include "edge/capi/fuse_fixture.h"
#include "edge/wasm/heap_watch.h"

namespace fusebox::edge::test {
namespace {

class FuseHeap : public FuseTest {
 protected:
  void SetUp() override {
    if (!FUSEBOX_HEAP_WATCHED) GTEST_SKIP() << "a sanitizer stands in for malloc";
    FuseTest::SetUp();
  }

  // Runs `what` where every request for memory fails; how many there were.
  template <typename What>
  static std::uint64_t requests_of(What what) {
    const std::uint64_t before = heap_requests();
    {
      const NoHeap none;
      what();
    }
    return heap_requests() - before;
  }
  static std::string busy() {
    return with_imports(
        "(drop (call $temp)) (drop (call $time)) (drop (call $frame (i32.const 0) (i32.const 4096)))"
        "(call $log (i32.const 0) (i32.const 200) (i32.const 1)) (call $post (i32.const 3))"
        "(memory.fill (i32.const 0) (i32.const 65) (i32.const 4096))"
        "(drop (memory.grow (i32.const 0)))");
  }
  static fuse_policy_t busy_policy() {
    fuse_policy_t policy = with_quota(60'000'000);
    policy.activation_mask = FUSE_ACTIVATION_INTERVAL | FUSE_ACTIVATION_EVENT;
    policy.event_subscribe = 1u << 3;
    policy.step_interval_us = 10;
    return policy;
  }
};

TEST_F(FuseHeap, AStepNeedsNoneFromTheFirstOn) {
  fuse_stat_t first = FUSE_ERR_INVALID_ARG;
  fuse_stat_t early = FUSE_ERR_INVALID_ARG;
  std::uint64_t requests = 99;
  std::thread([&] {  // which never called a guest before
    const auto id = run(busy(), busy_policy());
    requests = requests_of([&] { first = fuse_module_run_step(id); });
    requests += requests_of([&] { early = fuse_module_run_step(id); });
  })
      .join();
  EXPECT_EQ(requests, 0u);
  EXPECT_EQ(first, FUSE_SUCCESS);
  EXPECT_EQ(early, FUSE_ERR_INTERVAL_NOT_ELAPSED);
}

TEST_F(FuseHeap, NorDoesTheFirstStepOfAModuleOnAnotherThread) {
  const auto warm = run(kNothing);
  const auto id = run(busy(), busy_policy());
  fuse_stat_t status = FUSE_ERR_INVALID_ARG;
  std::uint64_t requests = 99;
  std::thread([&] {
    fuse_module_run_step(warm);
    requests = requests_of([&] { status = fuse_module_run_step(id); });
  }).join();
  EXPECT_EQ(status, FUSE_SUCCESS);
  EXPECT_EQ(requests, 0u);
}

TEST_F(FuseHeap, TicksEventsQueriesAndStateChangesNeedNone) {
  fuse_policy_ext_t ext = extension();
  ext.tick_budget = 1'000'000;
  ext.deadline_us = 5;
  ext.log_entries_per_step = 2;
  const auto id = run(busy(), busy_policy(), &ext);
  run(kNothing);
  std::uint32_t ticked = 0;
  fuse_module_info_t info_out{};
  const std::uint64_t requests = requests_of([&] {
    for (int i = 0; i < 20; ++i) {
      fuse_module_id_t ids[8];
      std::uint32_t n = 0;
      std::uint64_t wide = 0;
      fuse_log_stats_t stats;
      fuse_module_state_t state_out;
      fuse_log_record_t record;
      world().clock_us += 7;
      fuse_post_event(3);
      ticked |= fuse_tick();
      fuse_tick_ex(ids, 8, &n);
      fuse_clear_event(3);
      fuse_quota_expired(id);
      fuse_module_info(id, &info_out);
      fuse_module_stat(id, &state_out);
      fuse_module_handle(id, &wide);
      fuse_module_by_handle(wide, ids);
      fuse_module_next(kNone, ids);
      fuse_event_latch(id, &n);
      fuse_next_due(&wide);
      wide = 0;
      fuse_log_read(&wide, &record, 1, &n);
      fuse_evidence_read(&wide, &record, 1, &n);
      fuse_log_stats(&stats);
      fuse_module_pause(id);
      fuse_module_pause(id);  // refused, and noted
      fuse_module_start(id);
      fuse_stop();
      fuse_restart();
      fuse_resume_stopped();
      fuse_module_unload(77);
    }
  });
  EXPECT_EQ(requests, 0u);
  EXPECT_EQ(ticked, 3u);
  EXPECT_GE(info_out.steps_ok, 20u);
}

}  // namespace
}  // namespace fusebox::edge::test
