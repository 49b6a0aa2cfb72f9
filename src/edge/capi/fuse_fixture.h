// What the tests of the C interface share: a runtime with its memory, a HAL whose callbacks tests choose, modules as text.
//
// Threads  one test at a time; the callbacks run on whichever thread steps.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuse.h"
#include "support/wat.h"

namespace fusebox::edge::test {

// The thread sanitizer keeps a signal waiting until its thread makes a call; guests make none, and its build stops them from
// another thread, a moment later.
#if defined(FUSEBOX_TSAN)
inline constexpr bool kSignalsStopGuests = false;
#else
inline constexpr bool kSignalsStopGuests = true;
#endif

inline constexpr std::uint32_t kAllCapabilities = 0x1F;
inline constexpr fuse_module_id_t kNone = FUSE_INVALID_MODULE_ID;

// What the callbacks do; C callbacks have no context of their own.
struct World {
  std::function<float()> temp = [] { return 21.5f; };
  std::function<std::uint64_t()> clock;  // null = clock_us
  std::function<std::uint64_t(void*, std::uint32_t)> frame = [](void*, std::uint32_t) { return std::uint64_t{0}; };
  std::function<void(fuse_module_id_t, std::uint32_t)> arm;
  std::function<void(fuse_module_id_t)> cancel;
  std::uint64_t clock_us = 1000;
  int clock_reads = 0;
  int arms = 0;
  int cancels = 0;
};
inline World& world() {
  static World it;
  return it;
}

inline fuse_hal_t whole_hal() {
  fuse_hal_t hal{};
  hal.temp.get_reading = [] { return world().temp(); };
  hal.timer.get_timestamp = [] {
    ++world().clock_reads;
    return world().clock ? world().clock() : world().clock_us;
  };
  hal.camera.last_frame = [](void* out, std::uint32_t room) { return world().frame(out, room); };
  hal.quota_arm = [](fuse_module_id_t id, std::uint32_t us) {
    ++world().arms;
    if (world().arm) world().arm(id, us);
  };
  hal.quota_cancel = [](fuse_module_id_t id) {
    ++world().cancels;
    if (world().cancel) world().cancel(id);
  };
  return hal;
}

inline fuse_policy_t any_policy(std::uint32_t capabilities = kAllCapabilities) {
  fuse_policy_t policy{};
  policy.capabilities = capabilities;
  policy.activation_mask = FUSE_ACTIVATION_INTERVAL;
  return policy;
}
inline fuse_policy_t with_quota(std::uint32_t quota_us) {
  fuse_policy_t policy = any_policy();
  policy.cpu_quota_us = quota_us;
  return policy;
}
inline fuse_policy_ext_t extension() {
  fuse_policy_ext_t ext{};
  ext.size = sizeof ext;
  return ext;
}
inline fuse_options_t options() {
  fuse_options_t out{};
  out.size = sizeof out;
  return out;
}

// A module with every import, one page of memory and this step; `more` are further fields.
inline std::string with_imports(std::string_view step, std::string_view more = "") {
  return std::string(R"((module
    (import "env" "temp_get_reading" (func $temp (result f32)))
    (import "env" "timer_get_timestamp" (func $time (result i64)))
    (import "env" "camera_last_frame" (func $frame (param i32 i32) (result i64)))
    (import "env" "module_log_event" (func $log (param i32 i32 i32)))
    (import "env" "fuse_event_post" (func $post (param i32)))
    (memory (export "memory") 1)
    )") + std::string(more) +
         "(func (export \"module_step\") " + std::string(step) + "))";
}
inline constexpr char kNothing[] = R"((module (func (export "module_step"))))";
inline constexpr char kSpin[] = R"((module (func (export "module_step") (loop $l (br $l)))))";
inline constexpr char kTrap[] = R"((module (func (export "module_step") unreachable)))";

inline std::string last_error() {
  char text[512];
  fuse_last_error(text, sizeof text);
  return text;
}

// The default runtime, open between SetUp and TearDown unless a test closes it.
class FuseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world() = World{};
    ASSERT_EQ(open(), FUSE_SUCCESS);
  }
  void TearDown() override {
    world() = World{};  // callbacks of a test end with it
    fuse_deinit();
  }

  fuse_stat_t open(const fuse_options_t* with = nullptr) { return open_with(whole_hal(), with); }
  fuse_stat_t open_with(const fuse_hal_t& hal, const fuse_options_t* with = nullptr) {
    return fuse_init_ex(pool.data(), pool.size(), log.data(), log_bytes, &hal, sizeof hal, FUSE_HAL_MASK, with);
  }
  fuse_stat_t reopen(const fuse_options_t& with) {
    fuse_deinit();
    return open(&with);
  }

  static fuse_stat_t try_load(const base::Bytes& wasm, const fuse_policy_t& policy, fuse_module_id_t* id,
                              const fuse_policy_ext_t* ext = nullptr) {
    return fuse_module_load_ext(reinterpret_cast<const std::uint8_t*>(wasm.data()),
                                static_cast<std::uint32_t>(wasm.size()), &policy, ext, nullptr, 0, id);
  }
  static fuse_module_id_t load(std::string_view text, const fuse_policy_t& policy = any_policy(),
                               const fuse_policy_ext_t* ext = nullptr) {
    fuse_module_id_t id = kNone;
    EXPECT_EQ(try_load(fusebox::test::wat(text), policy, &id, ext), FUSE_SUCCESS) << last_error();
    return id;
  }
  static fuse_module_id_t run(std::string_view text, const fuse_policy_t& policy = any_policy(),
                              const fuse_policy_ext_t* ext = nullptr) {
    const fuse_module_id_t id = load(text, policy, ext);
    EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS) << last_error();
    return id;
  }
  // One step of a fresh module, which is unloaded again.
  static fuse_stat_t step_once(std::string_view text, const fuse_policy_t& policy = any_policy(),
                               const fuse_policy_ext_t* ext = nullptr) {
    const fuse_module_id_t id = run(text, policy, ext);
    const fuse_stat_t status = fuse_module_run_step(id);
    fuse_module_unload(id);
    return status;
  }

  static int state(fuse_module_id_t id) {
    fuse_module_state_t out = FUSE_MODULE_STATE_UNLOADED;
    fuse_module_stat(id, &out);
    return out;
  }
  static fuse_module_info_t info(fuse_module_id_t id) {
    fuse_module_info_t out{};
    EXPECT_EQ(fuse_module_info(id, &out), FUSE_SUCCESS);
    return out;
  }
  static std::uint32_t latch(fuse_module_id_t id) {
    std::uint32_t out = 0;
    EXPECT_EQ(fuse_event_latch(id, &out), FUSE_SUCCESS);
    return out;
  }
  static std::vector<fuse_log_record_t> records() {
    std::vector<fuse_log_record_t> out(1000);
    std::uint64_t cursor = 0;
    std::uint32_t n = 0;
    EXPECT_EQ(fuse_log_read(&cursor, out.data(), 1000, &n), FUSE_SUCCESS);
    out.resize(n);
    return out;
  }
  // "level id text", oldest first.
  static std::vector<std::string> log_lines() {
    std::vector<std::string> out;
    for (const fuse_log_record_t& record : records()) {
      out.push_back(std::to_string(record.entry.level) + " " +
                    std::to_string(static_cast<std::int32_t>(record.entry.module_id)) + " " + record.entry.message);
    }
    return out;
  }
  static std::string last_line() { return log_lines().back(); }
  static std::string line_before_last() {
    const auto lines = log_lines();
    return lines.size() < 2 ? "" : lines[lines.size() - 2];
  }

  alignas(16) std::array<std::uint8_t, 512 * 1024> pool{};
  std::array<std::uint8_t, 144 * 400> log{};
  std::size_t log_bytes = log.size();
};

}  // namespace fusebox::edge::test
