// Turns SIGINT and SIGTERM into an orderly end of the run in progress; a second one ends the process at once.
//
// Owner    The thread that waits for the signals ends with the object, which restores the signal mask.
// Threads  Make it before other threads start, so that they inherit the blocked signals. One at a time per process.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace fusebox::cli {

class InterruptGuard {
 public:
  // `on_interrupt` is called on the waiting thread, again and again until the guard ends: a run that was only about to
  // start when the signal came is ended all the same.
  explicit InterruptGuard(std::function<void()> on_interrupt);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool interrupted() const noexcept { return interrupted_.load(); }

 private:
  void wait();
  std::function<void()> on_interrupt_;
  sigset_t signals_{};
  sigset_t before_{};
  std::atomic<bool> interrupted_ = false;
  std::thread waiter_;
};

}  // namespace fusebox::cli
