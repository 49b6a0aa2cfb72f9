// A bound in time that is moved far more often than it is met: moving it later costs a comparison.
//
// The timer behind it stays where it is when the bound moves later, and looks again when it fires.
//
// Owner    the executor outlives it; `on_expiry` runs at most once per set(), never after clear() or destruction. What it
//          does may destroy the deadline, if it holds nothing but a pointer.
// Threads  the executor's.
#pragma once

#include <utility>

#include "base/executor.h"

namespace fusebox::http {

class Deadline {
 public:
  Deadline(base::Executor& executor, base::Work on_expiry) noexcept
      : executor_(executor), on_expiry_(std::move(on_expiry)) {}
  ~Deadline() {
    if (timer_ != 0) executor_.cancel(timer_);
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set(base::Nanos monotonic) {
    wanted_ = monotonic;
    if (timer_ != 0 && armed_ <= wanted_) return;
    if (timer_ != 0) executor_.cancel(timer_);
    arm();
  }
  void set_after(base::Nanos span) { set(executor_.clock().monotonic() + span); }
  void clear() noexcept { wanted_ = base::Nanos::max(); }

 private:
  void arm() {
    armed_ = wanted_;
    timer_ = executor_.post_at(armed_, [this] { fired(); });
  }
  void fired() {
    timer_ = 0;
    if (wanted_ == base::Nanos::max()) return;
    if (executor_.clock().monotonic() < wanted_) return arm();
    clear();
    on_expiry_();
  }

  base::Executor& executor_;
  base::Work on_expiry_;
  base::Nanos wanted_ = base::Nanos::max();
  base::Nanos armed_{0};
  base::Executor::TimerId timer_ = 0;
};

}  // namespace fusebox::http
