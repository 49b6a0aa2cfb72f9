// For threads that may block: waits until an object changes, or any of several does, or the time is up.
//
// Threads  any; each wait has its own waker.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "vfs/wait.h"

namespace fusebox::vfs {

class BlockingWaker final : public Waker {
 public:
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  void wait_until(std::chrono::steady_clock::time_point when) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, when, [this] { return woken_; });
    woken_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;  // guarded by mutex_
};

// Whether `ready()` became true in time; it is asked after every change of `list`.
template <class Ready>
bool wait_for_change(const std::shared_ptr<WakeList>& list, base::Nanos timeout, Ready ready) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  BlockingWaker waker;
  for (;;) {
    const std::uint64_t seen = list->version();
    if (ready()) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    if (!list->add(waker, seen)) continue;
    waker.wait_until(end);
    list->remove(waker);
  }
}

// Until one of `waits.changes()` happens, or `until`. Host descriptors and the set's own deadline are not looked at.
inline void wait_any(const WaitSet& waits,
                     std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max()) {
  BlockingWaker waker;
  std::vector<WakeList*> entered;
  const bool all = std::ranges::all_of(waits.changes(), [&](const WaitSet::Change& change) {
    if (!change.list->add(waker, change.seen)) return false;
    entered.push_back(change.list.get());
    return true;
  });
  if (all) waker.wait_until(until);
  for (WakeList* list : entered) list->remove(waker);
}

}  // namespace fusebox::vfs
