// One module of a runtime: what it may do, when it is due, what it did.
//
// Threads  the atomics: any thread, signal handler or interrupt. The rest: under the runtime's lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "edge/backend.h"
#include "edge/core/stop_window.h"
#include "fuse_types.h"

namespace fusebox::edge {

// The bytes of a module, ready to run, with one instance. A slot's body is exchanged as a whole, so that a slot can hold a
// second one beside it while an update is on probation.
struct Body {
  std::uint8_t* bytes = nullptr;
  std::uint32_t size = 0;
  Unit* unit = nullptr;
  Instance* instance = nullptr;
  bool started = false;  // module_init returned, or there is none
};

// What only the runtime's own thread touches.
struct SlotFields {
  static constexpr std::uint16_t kNotQueued = 0xFFFF;

  Body body;
  fuse_policy_t policy{};
  std::uint64_t tick_budget = 0;
  std::int32_t priority = 0;
  std::uint32_t phase_us = 0;
  std::uint32_t deadline_us = 0;
  std::uint32_t init_budget_us = 0;  // 0 = the runtime's
  std::uint32_t log_entries_per_step = 0;
  std::uint32_t restart_max = 0;
  std::uint32_t restart_backoff_us = 0;

  // One byte, so that with the state and the place they are one word on microcontrollers.
  bool in_use : 1 = false;
  bool paused_by_stop : 1 = false;
  bool drift_free : 1 = false;
  bool step_ever_ok : 1 = false;
  bool phase_known : 1 = false;  // next_due_us is set, for phase and drift-free periods
  std::uint8_t restart : 2 = FUSE_RESTART_NEVER;
  fuse_module_state_t state = FUSE_MODULE_STATE_LOADED;
  std::uint16_t queue_at = kNotQueued;  // place in the due queue
  std::uint32_t generation = 0;

  std::uint64_t last_us = 0;      // start of the last successful step
  std::uint64_t next_due_us = 0;  // phase and drift-free periods
  // What it waits for. Queued: not due before this, in microseconds of the HAL's clock as it was. Waiting for a restart,
  // when it cannot be queued: nanoseconds of the account's clock.
  std::uint64_t wait_until = 0;

  std::uint64_t steps_ok = 0;
  std::uint64_t ticks_last = 0;
  std::uint64_t ticks_total = 0;
  std::uint32_t step_last_us = 0;
  std::uint32_t step_max_us = 0;
  std::uint32_t traps = 0;
  std::uint32_t quota_stops = 0;
  std::uint32_t delivered = 0;
  std::uint32_t missed_periods = 0;
  std::uint32_t missed_deadlines = 0;
  std::uint32_t restarts = 0;
  std::uint32_t log_written = 0;
  std::uint32_t log_dropped = 0;
  std::uint32_t log_this_step = 0;
  std::uint32_t turn = 0;      // number of the tick it was last looked at in
  const char* trap = nullptr;  // static text of the last one
};

struct Slot : SlotFields {
  std::atomic<std::uint32_t> latch{0};  // events posted and not yet taken
  std::atomic<std::uint32_t> claim{0};  // which of the events the step under way took it may give back
  StopWindow window;                    // of the call in flight
  std::atomic<std::uint32_t> coalesced{0};
  std::atomic<std::uint32_t> last_source{FUSE_INVALID_MODULE_ID};

  // As it was before its first module. Interrupts may be looking at it: the atomics stay where they are, and the window goes
  // on numbering.
  void clear() {
    latch.store(0);
    claim.store(0);
    coalesced.store(0);
    last_source.store(FUSE_INVALID_MODULE_ID);
    static_cast<SlotFields&>(*this) = SlotFields{};
  }

  std::uint32_t activation() const {
    return policy.activation_mask == 0 ? FUSE_ACTIVATION_INTERVAL : policy.activation_mask;
  }
  bool runs_timed() const {
    return (activation() & (FUSE_ACTIVATION_INTERVAL | FUSE_ACTIVATION_MANUAL)) == FUSE_ACTIVATION_INTERVAL;
  }
  bool runs_on_events() const {
    return (activation() & (FUSE_ACTIVATION_EVENT | FUSE_ACTIVATION_MANUAL)) == FUSE_ACTIVATION_EVENT;
  }
  bool is_terminal() const { return state == FUSE_MODULE_STATE_TRAPPED || state == FUSE_MODULE_STATE_QUOTA_EXCEEDED; }
};

// Memory beside the module's own: this and 6 bytes in the queues (issue: 256 bytes on a 32-bit processor).
static_assert(sizeof(void*) != 4 || sizeof(Slot) <= 240, "a slot must stay small on microcontrollers");

}  // namespace fusebox::edge
