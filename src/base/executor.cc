#include "base/executor.h"

#include <algorithm>

namespace fusebox::base {

void ManualExecutor::post(Work work) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(work));
}

Executor::TimerId ManualExecutor::post_at(Nanos monotonic, Work work) {
  const TimerId id = next_++;
  timers_.emplace(std::pair{monotonic, id}, std::move(work));
  due_.emplace(id, monotonic);
  return id;
}

void ManualExecutor::cancel(TimerId timer) noexcept {
  const auto found = due_.find(timer);
  if (found == due_.end()) return;
  timers_.erase({found->second, timer});
  due_.erase(found);
}

bool ManualExecutor::run_one() {
  if (batch_.empty()) {
    const std::lock_guard lock(mutex_);
    std::swap(batch_, posted_);
    std::ranges::reverse(batch_);
  }
  if (batch_.empty()) return false;
  Work work = std::move(batch_.back());
  batch_.pop_back();
  work();
  return true;
}

void ManualExecutor::fire_due() {
  while (!timers_.empty() && timers_.begin()->first.first <= clock_.monotonic()) {
    auto first = timers_.extract(timers_.begin());
    due_.erase(first.key().second);
    post(std::move(first.mapped()));
  }
}

std::size_t ManualExecutor::run() {
  std::size_t count = 0;
  for (fire_due(); run_one(); fire_due()) ++count;
  return count;
}

void ManualExecutor::run_for(Nanos span) {
  const Nanos end = clock_.monotonic() + span;
  run();
  while (!timers_.empty() && timers_.begin()->first.first <= end) {
    clock_.advance(timers_.begin()->first.first - clock_.monotonic());
    run();
  }
  clock_.advance(end - clock_.monotonic());
  run();
}

bool ManualExecutor::run_until(const std::function<bool()>& done, Nanos limit) {
  const Nanos end = clock_.monotonic() + limit;
  for (run(); !done(); run()) {
    if (timers_.empty() || timers_.begin()->first.first > end) return false;
    clock_.advance(timers_.begin()->first.first - clock_.monotonic());
  }
  return true;
}

}  // namespace fusebox::base
