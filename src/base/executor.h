// The seam for "run this later": one thread's queue of work and timers. Real servers use the network loop's
// (http/loop.h), tests and simulations a ManualExecutor, so the same code runs under either.
//
// Owner    work that was posted and not run is destroyed with the executor.
// Threads  post(): any thread. All else, and the work itself: the executor's own thread, one piece at a time.
// Units    deadlines are monotonic time of clock().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace fusebox::base {

using Work = std::move_only_function<void()>;

class Executor {
 public:
  using TimerId = std::uint64_t;
  virtual ~Executor() = default;
  virtual void post(Work work) = 0;
  virtual TimerId post_at(Nanos monotonic, Work work) = 0;  // never runs inside the call, also when it is due
  virtual void cancel(TimerId timer) noexcept = 0;          // unknown and fired ones: nothing happens
  virtual const Clock& clock() const noexcept = 0;
};

// Runs when told. Time is a ManualClock's and moves only in run_for() and run_until().
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(ManualClock& clock) noexcept : clock_(clock) {}
  void post(Work work) override;
  TimerId post_at(Nanos monotonic, Work work) override;
  void cancel(TimerId timer) noexcept override;
  const Clock& clock() const noexcept override { return clock_; }

  // Everything that can run without time passing; how many pieces that were.
  std::size_t run();
  // Lets `span` pass, stopping the clock at every timer on the way.
  void run_for(Nanos span);
  // Lets time pass from timer to timer until `done` says so; false when nothing is left to wait for or `limit` has passed.
  bool run_until(const std::function<bool()>& done, Nanos limit = std::chrono::hours{24});

 private:
  bool run_one();
  void fire_due();
  ManualClock& clock_;
  std::mutex mutex_;
  std::vector<Work> posted_;  // guarded by mutex_
  std::vector<Work> batch_;   // being run, from the back
  std::map<std::pair<Nanos, TimerId>, Work> timers_;
  std::map<TimerId, Nanos> due_;
  TimerId next_ = 1;
};

}  // namespace fusebox::base
