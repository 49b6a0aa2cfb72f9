// What one thread needs to have its guests stopped: the chain of its calls in flight and one timer.
//
// The timer is armed only when a call's deadline lies before what it is armed for already; otherwise its own handler
// re-arms it. So a limit enforced on call after call costs some stores, not two system calls. The signal is the first
// real-time signal nobody uses; its handler is installed once per process and touches only the chain of the thread it
// runs on, so stray signals do no harm. Guests must not be called from destructors of thread-local objects, which may
// run after this one.
//
// Owner    the thread itself; made at its first call, gone at its exit.
// Threads  the calling thread alone, and its signal handler.
// Errors   `unavailable` when the kernel grants no timer (RLIMIT_SIGPENDING) or no real-time signal is free.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "engine/stop_slot.h"

namespace fusebox::engine {

class StopThread {
 public:
  // Of the calling thread; null before the first create().
  static StopThread* current() noexcept { return this_thread_; }
  static base::Result<StopThread*> create();
  // Makes that thread's handler look at its calls now. Harmless for threads that have ended.
  static void wake(pid_t thread) noexcept;

  StopThread(const StopThread&) = delete;
  StopThread& operator=(const StopThread&) = delete;
  ~StopThread();

  // Enters the slot. Its deadlines must be set. `uses_timer` is false where a watcher stops it.
  void enter(CallSlot& slot, bool uses_timer) noexcept {
    slot.outer = innermost_;
    if (slot.outer != nullptr) [[unlikely]]
      inherit(slot);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    innermost_ = &slot;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (uses_timer) arm_for(slot.first_deadline_ns());
  }
  void leave(CallSlot& slot) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    innermost_ = slot.outer;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // After a slot's deadline came nearer in a way the handler could not know (a host function ended).
  void arm_for(std::int64_t deadline_ns) noexcept {
    if (deadline_ns >= armed_for_ns_) [[likely]]
      return;
    armed_for_ns_ = deadline_ns;
    set_timer();
  }

  CallSlot* innermost() const noexcept { return innermost_; }
  pid_t id() const noexcept { return id_; }
  // The thread's CPU clock at `start_ns` of the monotonic clock (about now), at most kCalibrationAgeMaxNs too much.
  std::int64_t cpu_at(std::int64_t start_ns) noexcept;
  // The time now by both clocks. `read_ns` is what a clock of the caller's said just before, 0 = it has none; with it most
  // calls read no clock here.
  struct Start {
    std::int64_t monotonic_ns;
    std::int64_t cpu_ns;  // at most kCalibrationAgeMaxNs too much, never too little
  };
  Start start_at(std::int64_t read_ns) noexcept {
    const std::int64_t passed_ns = read_ns - pair_read_ns_;
    if (read_ns == 0 || passed_ns < 0 || passed_ns > kCalibrationAgeMaxNs) [[unlikely]]
      return calibrate(read_ns);
    return {pair_.monotonic_ns + passed_ns, pair_.cpu_ns + passed_ns};
  }

 private:
  // Reading the thread's CPU clock is a system call of 0.4 us; the monotonic clock is not. CPU time cannot pass faster
  // than monotonic time, so a pair of readings gives an upper bound for the start of every call that follows closely.
  static constexpr std::int64_t kCalibrationAgeMaxNs = 20'000;

  StopThread() noexcept = default;
  // What a call inside another one takes over from it.
  static void inherit(CallSlot& slot) noexcept;
  static void on_signal(int number, siginfo_t* info, void* context) noexcept;
  void look() noexcept;
  void set_timer() noexcept;
  Start calibrate(std::int64_t read_ns) noexcept;

  // The handler finds its thread here. initial-exec: no allocation on first use, which a handler could not afford.
  __attribute__((tls_model("initial-exec"))) static inline constinit thread_local StopThread* this_thread_ = nullptr;

  CallSlot* volatile innermost_ = nullptr;
  volatile std::int64_t armed_for_ns_ = kNever;
  std::int64_t calibrated_ns_ = -kNever / 2;  // when the pair was taken
  std::int64_t calibrated_cpu_ns_ = 0;
  std::int64_t pair_read_ns_ = -kNever / 2;  // the same for callers' readings
  Start pair_{};
  timer_t timer_{};
  bool has_timer_ = false;
  pid_t id_ = 0;
};

}  // namespace fusebox::engine
