// One process of a simulation: an executor and a clock that live in the world's time until the process is killed.
//
// Killed, it is cut off: what it sends goes nowhere, what it asks is refused, and its tasks run to their ends in a time of
// their own, so that nothing is leaked and nothing of it is seen in the world any more. A process may also stand still for
// a while, as on a machine that swaps or was suspended, and then go on as if nothing had been.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.h"

namespace fusebox::fleet::simulation {

class ProcessClock final : public base::Clock {
 public:
  explicit ProcessClock(const base::Clock& world) noexcept : world_(world) {}
  base::Nanos monotonic() const noexcept override { return cut_off_ ? own_ : world_.monotonic(); }
  base::Nanos wall() const noexcept override { return world_.wall(); }
  base::Nanos thread_cpu() const noexcept override { return monotonic(); }
  void cut_off() noexcept {
    own_ = world_.monotonic();
    cut_off_ = true;
  }
  void advance_to(base::Nanos at) noexcept { own_ = std::max(own_, at); }

 private:
  const base::Clock& world_;
  bool cut_off_ = false;
  base::Nanos own_{0};
};

class ProcessExecutor final : public base::Executor {
 public:
  explicit ProcessExecutor(base::ManualExecutor& world) : world_(world), clock_(world.clock()) {}

  void post(base::Work work) override {
    queue_->push_back(std::move(work));
    if (!cut_off_) ticket();
  }
  TimerId post_at(base::Nanos monotonic, base::Work work) override {
    const TimerId id = next_++;
    timers_.emplace(std::pair{monotonic, id}, std::move(work));
    due_.emplace(id, monotonic);
    if (!cut_off_) world_tickets_[id] = world_.post_at(monotonic, [this, id] { due(id); });
    return id;
  }
  void cancel(TimerId timer) noexcept override {
    if (const auto ticket = world_tickets_.find(timer); ticket != world_tickets_.end()) {
      world_.cancel(ticket->second);
      world_tickets_.erase(ticket);
    }
    const auto found = due_.find(timer);
    if (found == due_.end()) return;
    timers_.erase({found->second, timer});
    due_.erase(found);
  }
  const base::Clock& clock() const noexcept override { return clock_; }

  void stand_still_until(base::Nanos until) noexcept { still_until_ = until; }

  void cut_off() {
    cut_off_ = true;
    clock_.cut_off();
    for (const auto& [id, ticket] : world_tickets_) world_.cancel(ticket);
    world_tickets_.clear();
  }
  // After cut_off(): runs until `done`, from timer to timer. False: nothing is left to run.
  bool run_out(const std::function<bool()>& done) {
    while (!done()) {
      if (!queue_->empty()) {
        run_front();
      } else if (!timers_.empty()) {
        auto first = timers_.extract(timers_.begin());
        due_.erase(first.key().second);
        clock_.advance_to(first.key().first);
        queue_->push_back(std::move(first.mapped()));
      } else {
        return false;
      }
    }
    return true;
  }

 private:
  using Queue = std::deque<base::Work>;

  // The world runs one piece per ticket. Tickets outlive the process; its work does not.
  void ticket() {
    world_.post([this, mine = std::weak_ptr<Queue>(queue_)] {
      const auto queue = mine.lock();
      if (!queue || cut_off_) return;
      if (still_until_ > world_.clock().monotonic())
        world_.post_at(still_until_, [this, mine] {
          if (mine.lock() && !cut_off_) ticket();
        });
      else if (!queue->empty())
        run_front();
    });
  }
  void due(TimerId id) {
    world_tickets_.erase(id);
    const auto found = due_.find(id);
    if (found == due_.end()) return;
    auto timer = timers_.extract({found->second, id});
    due_.erase(found);
    post(std::move(timer.mapped()));
  }
  void run_front() {
    base::Work work = std::move(queue_->front());
    queue_->pop_front();
    work();
  }

  base::ManualExecutor& world_;
  ProcessClock clock_;
  bool cut_off_ = false;
  base::Nanos still_until_{0};
  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::map<std::pair<base::Nanos, TimerId>, base::Work> timers_;
  std::map<TimerId, base::Nanos> due_;
  std::map<TimerId, base::Executor::TimerId> world_tickets_;
  TimerId next_ = 1;
};

}  // namespace fusebox::fleet::simulation
