// Contract 8.5; rows 25 and 32 of section 15: fuse_rt_*, several runtimes at once, the same answers as the default one.
#include <thread>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

class OneRuntime {
 public:
  explicit OneRuntime(std::uint32_t modules = 8, const fuse_hal_t& hal = whole_hal()) {
    fuse_options_t with = options();
    with.max_modules = modules;
    EXPECT_EQ(
        fuse_rt_create(&rt, pool.data(), pool.size(), log.data(), log.size(), &hal, sizeof hal, FUSE_HAL_MASK, &with),
        FUSE_SUCCESS);
  }
  ~OneRuntime() { fuse_rt_destroy(rt); }
  OneRuntime(const OneRuntime&) = delete;
  OneRuntime& operator=(const OneRuntime&) = delete;

  fuse_module_id_t load(const base::Bytes& wasm, const fuse_policy_t& policy = any_policy()) {
    fuse_module_id_t id = kNone;
    EXPECT_EQ(fuse_rt_module_load(rt, reinterpret_cast<const std::uint8_t*>(wasm.data()),
                                  static_cast<std::uint32_t>(wasm.size()), &policy, &id),
              FUSE_SUCCESS);
    return id;
  }
  fuse_module_id_t run(const base::Bytes& wasm, const fuse_policy_t& policy = any_policy()) {
    const auto id = load(wasm, policy);
    EXPECT_EQ(fuse_rt_module_start(rt, id), FUSE_SUCCESS);
    return id;
  }
  fuse_module_info_t info(fuse_module_id_t id) const {
    fuse_module_info_t out{};
    EXPECT_EQ(fuse_rt_module_info(rt, id, &out), FUSE_SUCCESS);
    return out;
  }

  fuse_runtime_t* rt = nullptr;

 private:
  std::vector<std::uint8_t> pool = std::vector<std::uint8_t>(4u << 20);
  std::vector<std::uint8_t> log = std::vector<std::uint8_t>(32u << 10);
};

TEST(Runtimes, EveryTwinWithoutARuntimeIsTwo) {
  std::uint64_t wide = 0;
  std::uint32_t n = 0;
  fuse_log_record_t record;
  fuse_log_stats_t stats;
  fuse_module_info_t info;
  fuse_module_state_t state;
  const fuse_policy_t policy{};
  const std::uint8_t bytes[32] = {};
  for (const fuse_stat_t status : {fuse_rt_destroy(nullptr),
                                   fuse_rt_stop(nullptr),
                                   fuse_rt_restart(nullptr),
                                   fuse_rt_resume_stopped(nullptr),
                                   fuse_rt_module_load(nullptr, bytes, 1, &policy, &n),
                                   fuse_rt_module_load_ext(nullptr, bytes, 1, &policy, nullptr, nullptr, 0, &n),
                                   fuse_rt_module_start(nullptr, 0),
                                   fuse_rt_module_pause(nullptr, 0),
                                   fuse_rt_module_stat(nullptr, 0, &state),
                                   fuse_rt_module_run_step(nullptr, 0),
                                   fuse_rt_module_reset(nullptr, 0),
                                   fuse_rt_module_unload(nullptr, 0),
                                   fuse_rt_post_event(nullptr, 0),
                                   fuse_rt_clear_event(nullptr, 0),
                                   fuse_rt_module_info(nullptr, 0, &info),
                                   fuse_rt_module_handle(nullptr, 0, &wide),
                                   fuse_rt_module_by_handle(nullptr, 0, &n),
                                   fuse_rt_event_latch(nullptr, 0, &n),
                                   fuse_rt_tick_ex(nullptr, &n, 1, &n),
                                   fuse_rt_module_next(nullptr, 0, &n),
                                   fuse_rt_next_due(nullptr, &wide),
                                   fuse_rt_log_read(nullptr, &wide, &record, 1, &n),
                                   fuse_rt_evidence_read(nullptr, &wide, &record, 1, &n),
                                   fuse_rt_log_stats(nullptr, &stats),
                                   fuse_rt_trust_key(nullptr, "x", bytes)}) {
    EXPECT_EQ(status, FUSE_ERR_NOT_INITIALIZED);
  }
  EXPECT_EQ(fuse_rt_tick(nullptr), 0u);
  fuse_rt_quota_expired(nullptr, 0);
}

TEST(Runtimes, CreateChecksLikeInitAndLeavesOutAloneOnError) {
  std::uint8_t memory[64];
  const fuse_hal_t hal{};
  auto* const untouched = reinterpret_cast<fuse_runtime_t*>(memory);
  fuse_runtime_t* rt = untouched;
  EXPECT_EQ(fuse_rt_create(nullptr, memory, 64, memory, 64, &hal, sizeof hal, FUSE_HAL_MASK, nullptr),
            FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_rt_create(&rt, nullptr, 64, memory, 64, &hal, sizeof hal, FUSE_HAL_MASK, nullptr),
            FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_rt_create(&rt, memory, 64, memory, 0, &hal, sizeof hal, FUSE_HAL_MASK, nullptr), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_rt_create(&rt, memory, 64, memory, 64, &hal, sizeof hal - 1, FUSE_HAL_MASK, nullptr),
            FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_rt_create(&rt, memory, 64, memory, 64, &hal, sizeof hal, FUSE_HAL_MASK, nullptr),
            FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_EQ(rt, untouched);
}

TEST(Runtimes, ShareNothing) {
  world() = World{};
  OneRuntime a;
  OneRuntime b;
  const base::Bytes nothing = fusebox::test::wat(kNothing);
  fuse_policy_t hears = any_policy();
  hears.activation_mask = FUSE_ACTIVATION_EVENT;
  hears.event_subscribe = 1;
  EXPECT_EQ(a.run(nothing, hears), 0u);
  EXPECT_EQ(b.run(nothing, hears), 0u);
  fuse_rt_post_event(a.rt, 0);
  EXPECT_EQ(fuse_rt_tick(b.rt), 0u);
  EXPECT_EQ(fuse_rt_tick(a.rt), 1u);
  fuse_rt_stop(a.rt);
  fuse_rt_post_event(b.rt, 0);
  EXPECT_EQ(fuse_rt_tick(b.rt), 1u);
  EXPECT_EQ(fuse_rt_module_unload(a.rt, 0), FUSE_SUCCESS);
  EXPECT_EQ(b.info(0).steps_ok, 1u);
}

TEST(Runtimes, TheDefaultOneIsNobodysTwin) {
  world() = World{};
  OneRuntime a;
  EXPECT_EQ(fuse_stop(), FUSE_ERR_NOT_INITIALIZED);
  a.run(fusebox::test::wat(kNothing));
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(fuse_rt_tick(a.rt), 1u);
}

TEST(Runtimes, OnTwoThreadsSpinAndStopAtOnce) {
  world() = World{};
  const base::Bytes spin = fusebox::test::wat(kSpin);
  const base::Bytes nothing = fusebox::test::wat(kNothing);
  const auto work = [&](OneRuntime& runtime) {
    for (int i = 0; i < 10; ++i) {
      const auto bad = runtime.run(spin, with_quota(1000));
      const auto good = runtime.run(nothing, with_quota(60'000'000));
      EXPECT_EQ(fuse_rt_tick(runtime.rt), 1u << good);
      EXPECT_EQ(runtime.info(bad).quota_stops, 1u);
      EXPECT_EQ(fuse_rt_module_unload(runtime.rt, bad), FUSE_SUCCESS);
      EXPECT_EQ(fuse_rt_module_unload(runtime.rt, good), FUSE_SUCCESS);
    }
  };
  OneRuntime a(8, fuse_hal_t{});  // the callbacks of the fixture are for one thread
  OneRuntime b(8, fuse_hal_t{});
  std::thread other([&] { work(b); });
  work(a);
  other.join();
}

TEST(Runtimes, ACallbackOfOneMayUseTheOther) {
  world() = World{};
  OneRuntime a;
  OneRuntime b;
  a.run(fusebox::test::wat(with_imports("(drop (call $temp))")));
  b.run(fusebox::test::wat(kNothing));
  std::uint32_t ticked = 0;
  world().temp = [&] {
    EXPECT_EQ(fuse_rt_tick(a.rt), 0u);
    ticked = fuse_rt_tick(b.rt);
    return 0.f;
  };
  EXPECT_EQ(fuse_rt_tick(a.rt), 1u);
  EXPECT_EQ(ticked, 1u);
}

TEST(Runtimes, AThousandModulesRunAndTheLastIsReported) {
  world() = World{};
  OneRuntime a(1000);
  const base::Bytes nothing = fusebox::test::wat(kNothing);
  fuse_policy_t rare = any_policy();
  rare.step_interval_us = 1'000'000;
  fuse_policy_t often = any_policy();
  often.step_interval_us = 10;
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(a.run(nothing, i == 999 ? often : rare), i);
  std::vector<fuse_module_id_t> ids(1000);
  std::uint32_t n = 0;
  EXPECT_EQ(fuse_rt_tick_ex(a.rt, ids.data(), 1000, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 1000u);
  world().clock_us += 10;
  EXPECT_EQ(fuse_rt_tick_ex(a.rt, ids.data(), 1000, &n), FUSE_SUCCESS);
  EXPECT_EQ(n, 1u);
  EXPECT_EQ(ids[0], 999u);
}

TEST(Runtimes, LastErrorsAreOfTheirThreads) {
  fuse_module_stat(0, nullptr);
  const std::string mine = last_error();
  std::thread([&] {
    EXPECT_EQ(last_error(), "");
    fuse_stop();
    EXPECT_EQ(last_error(), "the runtime is not initialised");
  }).join();
  EXPECT_EQ(last_error(), mine);
}

}  // namespace
}  // namespace fusebox::edge::test
