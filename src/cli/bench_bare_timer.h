// What the kernel alone can do: a signal timer with nothing behind it, the measure for how late a guest is stopped.
//
// Owner    the timer, and the disposition of one real-time signal that was free; both are given back.
// Threads  the thread that created it.
// Errors   `unavailable` when no real-time signal is free or the kernel grants no timer.
#pragma once

#include <ctime>

#include <atomic>
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/result.h"

namespace fusebox::cli::bench {

class BareTimer {
 public:
  static base::Result<std::unique_ptr<BareTimer>> create();
  ~BareTimer();
  BareTimer(const BareTimer&) = delete;
  BareTimer& operator=(const BareTimer&) = delete;

  // Spins until the signal of a timer set to `delay` arrives; how late that was, by `clock`. `unavailable` when it does
  // not come at all.
  base::Result<base::Nanos> lateness(const base::Clock& clock, std::chrono::nanoseconds delay);

 private:
  explicit BareTimer(int signal_number) noexcept : signal_(signal_number) {}
  base::Result<void> start();

  int signal_;
  bool handled_ = false;
  timer_t timer_{};
  bool armed_ = false;
  std::atomic<bool> fired_{false};
};

}  // namespace fusebox::cli::bench
