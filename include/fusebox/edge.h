// The edge runtime: steps WebAssembly modules under enforced budgets, wired to hardware through a thin HAL.
//
// What fuse.h is written on. Freestanding: no exceptions, no RTTI, no heap; everything lies in memory the caller gives.
//
//   Setup setup{.module_memory = pool, .module_memory_size = sizeof pool, .log_memory = log, .log_memory_size = sizeof log};
//   setup.hal.timer.get_timestamp = &clock_us;  setup.hal_mask = FUSE_CAP_TIMER;
//   Runtime* runtime = nullptr;
//   if (Runtime::create(setup, &runtime) != FUSE_SUCCESS) ...
//
// Owner    create() places the runtime at the head of module_memory; destroy() releases what modules hold. The memory stays
//          the caller's. Backend, port and inputs outlive the runtime.
// Threads  post_event, clear_event, quota_expired: any thread, signal handler or interrupt. All others: any thread, one at a
//          time by the runtime's lock; const ones also from a HAL callback, the rest are refused there.
// Errors   fuse_stat_t, decided in the order contract edge.md section 8 gives; text() of the last refusal of this thread is
//          last_error() where the platform has threads' own storage.
// Contract edge.md sections 8-13
#pragma once

#include <cstddef>
#include <cstdint>

#include "fuse_types.h"

namespace fusebox::edge {

class Backend;  // src/edge/backend.h: what executes modules
class Port;     // src/edge/port.h: lock, clock of accounts, hashes
class Inputs;   // src/edge/inputs.h: where a recorder attaches

// Every HAL group this header knows; a null callback gives 0 to the guest.
struct Hal {
  fuse_hal_temp_group_t temp{};
  fuse_hal_timer_group_t timer{};
  fuse_hal_camera_group_t camera{};
  fuse_hal_gpio_group_t gpio{};
  fuse_hal_uart_group_t uart{};
  fuse_hal_quota_arm_fn quota_arm = nullptr;
  fuse_hal_quota_cancel_fn quota_cancel = nullptr;
};

struct Setup {
  void* module_memory = nullptr;
  std::size_t module_memory_size = 0;
  void* log_memory = nullptr;
  std::size_t log_memory_size = 0;
  Hal hal;
  std::uint32_t hal_mask = 0;  // FUSE_CAP_* of the groups `hal` offers; imports of others are "not provided"
  fuse_options_t options{};    // 0 = the default of each field
  Backend* backend = nullptr;
  Port* port = nullptr;
  Inputs* inputs = nullptr;  // null = straight from the HAL
};

struct LoadExtras {
  const fuse_policy_ext_t* ext = nullptr;
  const char* refusal = nullptr;  // what the caller found wrong with the module's signature: the load is refused with 7
};

class Runtime {
 public:
  // 1 for null or empty memory, a null backend or port, or options out of range; 4 when the backend fails or the pool cannot
  // hold the runtime itself.
  static fuse_stat_t create(const Setup& setup, Runtime** out);
  static void destroy(Runtime* runtime);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  fuse_stat_t stop();
  fuse_stat_t restart();
  fuse_stat_t resume_stopped();

  fuse_stat_t load(const std::uint8_t* bytes, std::uint32_t size, const fuse_policy_t& policy, const LoadExtras& extras,
                   fuse_module_id_t* out_id);
  fuse_stat_t start(fuse_module_id_t id);
  fuse_stat_t pause(fuse_module_id_t id);
  fuse_stat_t run_step(fuse_module_id_t id);
  fuse_stat_t reset(fuse_module_id_t id);
  fuse_stat_t unload(fuse_module_id_t id);

  // Bit N = module N completed a step. `ids`, when not null, receives up to `cap` ids; `n` how many there were.
  std::uint32_t tick(fuse_module_id_t* ids = nullptr, std::uint32_t cap = 0, std::uint32_t* n = nullptr);
  // Reads the timer HAL once, when a timed module is scheduled.
  fuse_stat_t next_due(std::uint64_t* out_us);

  fuse_stat_t post_event(std::uint32_t event_id);
  fuse_stat_t clear_event(std::uint32_t event_id);
  void quota_expired(fuse_module_id_t id);

  fuse_stat_t state(fuse_module_id_t id, fuse_module_state_t* out) const;
  fuse_stat_t info(fuse_module_id_t id, fuse_module_info_t* out) const;
  fuse_stat_t handle(fuse_module_id_t id, std::uint64_t* out) const;
  fuse_stat_t by_handle(std::uint64_t handle, fuse_module_id_t* out) const;
  fuse_stat_t event_latch(fuse_module_id_t id, std::uint32_t* out) const;
  fuse_stat_t next(fuse_module_id_t after, fuse_module_id_t* out) const;
  fuse_stat_t log_read(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max, std::uint32_t* n) const;
  fuse_stat_t evidence_read(std::uint64_t* cursor, fuse_log_record_t* out, std::uint32_t max, std::uint32_t* n) const;
  fuse_stat_t log_stats(fuse_log_stats_t* out) const;

  // Whether the caller is a HAL callback of this runtime, and what a call that changes something gets there: 1, and an entry
  // `re-entrant call refused: <function>`.
  bool is_called_back() const;
  fuse_stat_t refuse(const char* function);

 protected:
  Runtime() = default;
  ~Runtime() = default;
};

// Little-endian on every host; `out` is untouched unless size is 32.
fuse_stat_t policy_from_bin(const std::uint8_t* bytes, std::uint32_t size, fuse_policy_t* out);
// 0 = every bit and size is one this build knows; else 1, with a sentence in `error`.
fuse_stat_t policy_validate(const fuse_policy_t& policy, char* error, std::size_t error_size);

}  // namespace fusebox::edge
