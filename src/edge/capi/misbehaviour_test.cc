// Contract 8.3, 9.1, 2.4; row 19 of section 15: HAL callbacks that re-enter and throw. (Those that block or lie about
// lengths: quota_test.cc, imports_test.cc.)
#include <stdexcept>
#include <thread>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Contains;
using ::testing::Not;

constexpr char kAsksTemp[] = R"((module (import "env" "temp_get_reading" (func $temp (result f32)))
  (func (export "module_step") (drop (call $temp)))
  (func (export "module_deinit") (drop (call $temp)))))";

std::uint64_t throwing_clock() {
  throw std::runtime_error("clock");
}

struct Refused {
  const char* name;
  fuse_stat_t (*call)();
};

const fuse_policy_t kPolicy{};
const std::uint8_t kByte = 0;
fuse_module_id_t some_id = 0;

// Everything that changes something.
const Refused kRefused[] = {
    {"fuse_init",
     [] {
       const fuse_hal_t hal{};
       static std::uint8_t memory[64];
       return fuse_init(memory, sizeof memory, memory, sizeof memory, &hal);
     }},
    {"fuse_deinit", [] { return fuse_deinit(); }},
    {"fuse_stop", [] { return fuse_stop(); }},
    {"fuse_restart", [] { return fuse_restart(); }},
    {"fuse_resume_stopped", [] { return fuse_resume_stopped(); }},
    {"fuse_module_load", [] { return fuse_module_load(&kByte, 1, &kPolicy, &some_id); }},
    {"fuse_module_load", [] { return fuse_module_load_ext(&kByte, 1, &kPolicy, nullptr, &kByte, 1, &some_id); }},
    {"fuse_module_start", [] { return fuse_module_start(0); }},
    {"fuse_module_pause", [] { return fuse_module_pause(0); }},
    {"fuse_module_run_step", [] { return fuse_module_run_step(0); }},
    {"fuse_module_run_step", [] { return fuse_module_run_step(1); }},
    {"fuse_module_reset", [] { return fuse_module_reset(0); }},
    {"fuse_module_unload", [] { return fuse_module_unload(0); }},
    {"fuse_module_unload", [] { return fuse_module_unload(99); }},
    {"fuse_tick_ex",
     [] {
       std::uint32_t n = 0;
       return fuse_tick_ex(nullptr, 0, &n);
     }},
    {"fuse_tick", [] { return fuse_tick() == 0 ? FUSE_ERR_INVALID_ARG : FUSE_SUCCESS; }},
    {"fuse_next_due",
     [] {
       std::uint64_t us = 0;
       return fuse_next_due(&us);
     }},
};

// Everything that only looks, or may be called by interrupts.
const Refused kAllowed[] = {
    {"stat",
     [] {
       fuse_module_state_t out;
       return fuse_module_stat(0, &out);
     }},
    {"info",
     [] {
       fuse_module_info_t out;
       return fuse_module_info(0, &out);
     }},
    {"handle",
     [] {
       std::uint64_t out = 0;
       const fuse_stat_t status = fuse_module_handle(0, &out);
       return status != FUSE_SUCCESS ? status : fuse_module_by_handle(out, &some_id);
     }},
    {"latch",
     [] {
       std::uint32_t out = 0;
       return fuse_event_latch(0, &out);
     }},
    {"next", [] { return fuse_module_next(kNone, &some_id); }},
    {"log_read",
     [] {
       std::uint64_t cursor = 0;
       std::uint32_t n = 0;
       fuse_log_record_t record;
       return fuse_log_read(&cursor, &record, 1, &n);
     }},
    {"evidence_read",
     [] {
       std::uint64_t cursor = 0;
       std::uint32_t n = 0;
       fuse_log_record_t record;
       return fuse_evidence_read(&cursor, &record, 1, &n);
     }},
    {"log_stats",
     [] {
       fuse_log_stats_t out;
       return fuse_log_stats(&out);
     }},
    {"post", [] { return fuse_post_event(4); }},
    {"clear", [] { return fuse_clear_event(4); }},
    {"from_bin",
     [] {
       fuse_policy_t out;
       const std::uint8_t bytes[32] = {};
       return fuse_policy_from_bin(bytes, 32, &out);
     }},
};

class Reentry : public FuseTest {};

TEST_F(Reentry, EveryFunctionThatChangesSomethingIsRefusedAndLogged) {
  const auto id = run(kAsksTemp);
  run(kNothing);
  for (const Refused& f : kRefused) {
    fuse_stat_t got = FUSE_SUCCESS;
    world().temp = [&] {
      got = f.call();
      return 0.f;
    };
    const std::size_t lines = records().size();
    EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS) << f.name;
    EXPECT_EQ(got, FUSE_ERR_INVALID_ARG) << f.name;
    EXPECT_EQ(records().size(), lines + 1);
    EXPECT_EQ(last_line(), std::string("2 0 re-entrant call refused: ") + f.name);
    EXPECT_EQ(state(id), FUSE_MODULE_STATE_RUNNING);
  }
  EXPECT_EQ(info(1).steps_ok, 0u);
}

TEST_F(Reentry, TheSameFromEveryOtherCallback) {
  const auto id =
      run(with_imports("(drop (call $frame (i32.const 0) (i32.const 1))) (drop (call $time))"), with_quota(60'000'000));
  int refused = 0;
  bool busy = false;
  const auto reenter = [&] {
    if (busy) return;
    busy = true;
    for (const Refused& f : kRefused) refused += f.call() == FUSE_ERR_INVALID_ARG ? 1 : 0;
    busy = false;
  };
  world().frame = [&](void*, std::uint32_t) {
    reenter();
    return std::uint64_t{0};
  };
  world().arm = [&](fuse_module_id_t, std::uint32_t) { reenter(); };
  world().cancel = [&](fuse_module_id_t) { reenter(); };
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(refused, 3 * static_cast<int>(std::size(kRefused)));
  refused = 0;
  world().arm = nullptr;
  world().cancel = nullptr;
  world().frame = [](void*, std::uint32_t) { return std::uint64_t{0}; };
  world().clock = [&] {
    reenter();
    return world().clock_us;
  };
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);  // two reads: the attempt's and the guest's
  EXPECT_EQ(refused, 2 * static_cast<int>(std::size(kRefused)));
  world().clock = nullptr;
  EXPECT_EQ(fuse_tick(), 1u);
}

TEST_F(Reentry, QueriesAndInterruptsAreAnswered) {
  fuse_policy_t policy = any_policy();
  policy.event_subscribe = 1u << 4;
  const auto id = run(kAsksTemp, policy);
  for (const Refused& f : kAllowed) {
    fuse_stat_t got = FUSE_ERR_INVALID_ARG;
    world().temp = [&] {
      got = f.call();
      return 0.f;
    };
    EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
    EXPECT_EQ(got, FUSE_SUCCESS) << f.name;
  }
  for (const std::string& line : log_lines()) EXPECT_THAT(line, Not(::testing::HasSubstr("re-entrant")));
}

TEST_F(Reentry, FromModuleDeinitDuringUnloadAndDeinit) {
  std::vector<fuse_stat_t> got;
  world().temp = [&] {
    for (const Refused& f : kRefused) got.push_back(f.call());
    return 0.f;
  };
  EXPECT_EQ(fuse_module_unload(run(kAsksTemp)), FUSE_SUCCESS);
  EXPECT_EQ(got.size(), std::size(kRefused));
  run(kAsksTemp);
  EXPECT_EQ(fuse_deinit(), FUSE_SUCCESS);
  EXPECT_EQ(got.size(), 2 * std::size(kRefused));
  EXPECT_THAT(got, ::testing::Each(FUSE_ERR_INVALID_ARG));
  EXPECT_EQ(fuse_stop(), FUSE_ERR_NOT_INITIALIZED);
}

TEST_F(Reentry, AnotherThreadOfTheCallbackWaitsItsTurn) {
  std::thread other;
  fuse_stat_t got = FUSE_ERR_INVALID_ARG;
  world().temp = [&] {
    if (!other.joinable()) other = std::thread([&] { got = fuse_module_pause(0); });
    return 0.f;
  };
  const auto id = run(kAsksTemp);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  other.join();
  EXPECT_EQ(got, FUSE_SUCCESS);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_PAUSED);
}

class Throws : public FuseTest {
 protected:
  void expect_trapped(fuse_module_id_t id) {
    EXPECT_EQ(last_line(), "2 " + std::to_string(id) + " module " + std::to_string(id) +
                               " trap: Exception: host callback exception");
    EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
    EXPECT_STREQ(info(id).trap_text, "host callback exception");
    EXPECT_EQ(info(id).traps, 1u);
    EXPECT_EQ(fuse_module_unload(id), FUSE_SUCCESS);
  }
};

TEST_F(Throws, ACallbackTheGuestCalledIsTheGuestsTrap) {
  world().temp = []() -> float { throw 1; };
  world().frame = [](void*, std::uint32_t) -> std::uint64_t { throw std::runtime_error("no"); };
  for (const char* step : {"(drop (call $temp))", "(drop (call $frame (i32.const 0) (i32.const 1)))"}) {
    const auto id = run(with_imports(std::string(step) + "(loop $l (br $l))"), with_quota(60'000'000));
    const int cancels = world().cancels;
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
    EXPECT_EQ(world().cancels, cancels + 1);
    expect_trapped(id);
  }
  const auto id = run(with_imports("(drop (call $time)) (loop $l (br $l))"));
  int reads = 0;
  world().clock = [&]() -> std::uint64_t {
    if (++reads == 2) throw 1;  // the attempt's own came first
    return 5;
  };
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
  expect_trapped(id);
}

TEST_F(Throws, OneInModuleInitIsAFailedStart) {
  world().temp = []() -> float { throw 1; };
  const auto id = load(with_imports("", "(func (export \"module_init\") (drop (call $temp)))"));
  EXPECT_EQ(fuse_module_start(id), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(last_line(), "2 0 module_init trap mod=0: Exception: host callback exception");
}

TEST_F(Throws, OneInModuleDeinitDoesNotKeepTheModule) {
  world().temp = []() -> float { throw 1; };
  const auto id = run(with_imports("", "(func (export \"module_deinit\") (drop (call $temp)))"));
  EXPECT_EQ(fuse_module_unload(id), FUSE_SUCCESS);
  EXPECT_EQ(line_before_last(), "2 0 module_deinit trap mod=0: Exception: host callback exception");
}

TEST_F(Throws, AnArmingThatThrowsKeepsTheBodyFromRunning) {
  int ran = 0;
  world().temp = [&] { return static_cast<float>(++ran); };
  world().arm = [](fuse_module_id_t, std::uint32_t) { throw 1; };
  const auto id = run(kAsksTemp, with_quota(60'000'000));
  const auto other = run(kNothing);
  EXPECT_EQ(fuse_tick(), 1u << other);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(world().cancels, 1);
  expect_trapped(id);
}

TEST_F(Throws, ACancelThatThrowsIsATrapOfTheStepThatCompleted) {
  world().cancel = [](fuse_module_id_t) { throw 1; };
  const auto id = run(kNothing, with_quota(60'000'000));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
  expect_trapped(id);
  const auto stopped = run(kSpin, with_quota(2000));
  EXPECT_EQ(fuse_module_run_step(stopped), FUSE_ERR_QUOTA_EXCEEDED);  // the first cause wins
}

TEST_F(Throws, AClockThatThrowsStandsStillAndNothingElseChanges) {
  fuse_policy_t every = any_policy();
  every.step_interval_us = 100;
  const auto timed = run(kNothing, every);
  const auto plain = run(with_imports("(call $log (i32.const 0) (i32.const 1) (i32.const 1))"));
  EXPECT_EQ(fuse_tick(), 3u);
  world().clock_us += 40;
  EXPECT_EQ(fuse_tick(), 1u << plain);
  world().clock = &throwing_clock;
  EXPECT_EQ(fuse_tick(), 1u << plain);  // no time has passed for the other
  EXPECT_EQ(fuse_module_run_step(timed), FUSE_ERR_INTERVAL_NOT_ELAPSED);
  EXPECT_EQ(fuse_module_run_step(plain), FUSE_SUCCESS);
  EXPECT_EQ(records().back().entry.timestamp_us, world().clock_us);
  EXPECT_EQ(fuse_module_pause(timed), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_start(timed), FUSE_SUCCESS);
  const auto loaded = load(kNothing);
  EXPECT_EQ(fuse_module_unload(loaded), FUSE_SUCCESS);
  EXPECT_EQ(fuse_stop(), FUSE_SUCCESS);
  EXPECT_EQ(fuse_restart(), FUSE_SUCCESS);
  EXPECT_EQ(fuse_resume_stopped(), FUSE_SUCCESS);
  EXPECT_EQ(last_error(), "get_timestamp threw an exception; HAL callbacks must return");
  world().clock = nullptr;
  world().clock_us += 60;
  EXPECT_EQ(fuse_tick(), 3u);  // and it is read again
}

TEST_F(Throws, AClockThatThrowsDuringARefusedReentryLeavesTheLockAlone) {
  const auto id = run(kAsksTemp);
  world().temp = [&] {
    world().clock = &throwing_clock;
    EXPECT_EQ(fuse_module_unload(id), FUSE_ERR_INVALID_ARG);
    world().clock = nullptr;
    std::thread([&] { EXPECT_EQ(fuse_post_event(1), FUSE_SUCCESS); }).join();
    EXPECT_EQ(fuse_module_pause(id), FUSE_ERR_INVALID_ARG);  // this thread is still inside
    return 0.f;
  };
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_RUNNING);
  EXPECT_THAT(log_lines(), Contains("2 0 re-entrant call refused: fuse_module_unload"));
  world().temp = [] { return 0.f; };
  EXPECT_EQ(fuse_tick(), 1u);
}

TEST_F(Throws, InitWithAClockThatThrows) {
  fuse_deinit();
  world().clock = &throwing_clock;
  ASSERT_EQ(open(), FUSE_SUCCESS);
  EXPECT_EQ(records().front().entry.timestamp_us, 0u);
  EXPECT_EQ(step_once(kNothing), FUSE_SUCCESS);
}

}  // namespace
}  // namespace fusebox::edge::test
