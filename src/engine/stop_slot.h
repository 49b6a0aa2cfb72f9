// One call in flight, as whoever stops it sees it, and the decision whether it must end.
//
// A slot lives on the calling thread's stack and is entered into that thread's chain (stop_thread.h). The decision
// runs in a signal handler or on the watcher's thread: it allocates nothing, takes no lock, and only reads clocks.
// Threads  plain fields are written before the slot is entered; atomics may change while it is in the chain.
// Units    nanoseconds of CLOCK_MONOTONIC and of the calling thread's CPU clock.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>
#include <limits>

#include "engine/meter.h"
#include "engine/outcome.h"

namespace fusebox::engine {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// A signal timer is this late at the median, so it is set as much early; its handler waits for the rest, on the guest's
// account. Waiting is exact, and cheaper than a second signal.
inline constexpr std::int64_t kTimerEarlyNs = 8'000;

inline std::int64_t read_clock(clockid_t clock) noexcept {
  timespec now;
  ::clock_gettime(clock, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}
inline std::int64_t monotonic_ns() noexcept {
  return read_clock(CLOCK_MONOTONIC);
}
inline std::int64_t thread_cpu_ns() noexcept {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct CallSlot {
  // How the guest notices. `counter` is the metered guest's; without it `poke` is called (epochs), or nothing can be
  // done.
  std::int64_t* counter = nullptr;
  void (*poke)(void* env) noexcept = nullptr;
  void* poke_env = nullptr;

  std::int64_t wall_deadline_ns = kNever;
  std::int64_t cpu_deadline_ns = kNever;  // the earliest time at which the CPU budget can be spent
  std::int64_t cpu_budget_ns = kNever;
  std::int64_t cpu_start_ns = 0;  // the thread's CPU clock at the start, or a bit more, never less

  // Time of host functions, which is not the guest's (host_time.h).
  std::atomic<std::int64_t> host_ns{0};
  std::atomic<std::int64_t> host_since_ns{kNever};  // of the clock below; kNever while the guest itself runs
  std::atomic<bool> host_since_is_cpu{false};

  std::atomic<const std::atomic<bool>*> cancelled{nullptr};  // of the instance's stop handles, if there are any
  std::atomic<std::uint8_t> stop{0};                         // 0 = go on, else 1 + Limit; never taken back
  CallSlot* outer = nullptr;                                 // the call below on the same thread
  bool watched = false;                                      // by a StopWatcher, and then not by the signal handler
  std::uint32_t depth = 1;
  std::int64_t repeat_ns = 0;  // until the next poke, grows; for the stopping side alone

  bool must_stop() const noexcept { return stop.load(std::memory_order_relaxed) != 0; }
  void stop_unless_stopped(Limit why) noexcept {
    std::uint8_t going = 0;
    stop.compare_exchange_strong(going, static_cast<std::uint8_t>(1 + static_cast<unsigned>(why)),
                                 std::memory_order_relaxed);
  }
  Limit limit() const noexcept { return static_cast<Limit>(stop.load(std::memory_order_relaxed) - 1); }
  std::int64_t first_deadline_ns() const noexcept {
    return wall_deadline_ns < cpu_deadline_ns ? wall_deadline_ns : cpu_deadline_ns;
  }
};

// Whether somebody made this counter negative; what the guest itself left in it.
// Counters start below kTicksMax and no region costs 2^60: nothing but the bias leads below this.
inline constexpr std::int64_t kBiasedBelow = -(std::int64_t{1} << 60);
static_assert(kStopBias + kTicksMax < kBiasedBelow);

inline bool is_stop_biased(std::int64_t counter) noexcept {
  return counter < kBiasedBelow;
}
inline std::int64_t without_stop_bias(std::int64_t counter) noexcept {
  return is_stop_biased(counter) ? counter - kStopBias : counter;
}

// Looks at one slot; stops its guest if it is time, after waiting up to kTimerEarlyNs where its own thread looks. Returns
// when to look again, kNever = not because of this slot.
// `cpu_clock` is the CPU clock of the thread that runs the call.
std::int64_t look_at(CallSlot& slot, std::int64_t now_ns, clockid_t cpu_clock) noexcept;

// Looks at a whole chain, innermost first. A call whose outer call must end has to end as well.
// Only slots of that kind: a counter has one writer besides its guest.
enum class LookAt : std::uint8_t { timed, watched };
std::int64_t look_at_chain(CallSlot* innermost, std::int64_t now_ns, clockid_t cpu_clock, LookAt kind) noexcept;

}  // namespace fusebox::engine
