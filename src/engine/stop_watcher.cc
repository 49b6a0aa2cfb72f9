#include "engine/stop_watcher.h"

#include <algorithm>
#include <chrono>

namespace fusebox::engine {

std::shared_ptr<StopWatcher> StopWatcher::create() {
  std::shared_ptr<StopWatcher> made(new StopWatcher);
  made->thread_ = std::thread([self = made.get()] { self->watch(); });
  ::pthread_setname_np(made->thread_.native_handle(), "fusebox-stop");
  return made;
}

StopWatcher::~StopWatcher() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::vector<StopWatcher::Entry>::iterator StopWatcher::find(pthread_t thread) {
  return std::ranges::find_if(entries_, [&](const Entry& entry) { return ::pthread_equal(entry.thread, thread) != 0; });
}

void StopWatcher::enter(CallSlot& slot) {
  Entry entry{&slot, ::pthread_self(), CLOCK_MONOTONIC};
  ::pthread_getcpuclockid(entry.thread, &entry.cpu_clock);
  {
    const std::lock_guard lock(mutex_);
    const auto known = find(entry.thread);
    if (known != entries_.end())
      *known = entry;
    else
      entries_.push_back(entry);
    look_now_ = true;
  }
  changed_.notify_one();
}

void StopWatcher::leave(CallSlot& slot) {
  const std::lock_guard lock(mutex_);
  const auto known = find(::pthread_self());
  if (known == entries_.end()) return;
  if (slot.outer != nullptr && slot.outer->watched)
    known->innermost = slot.outer;
  else
    entries_.erase(known);
}

void StopWatcher::wake() {
  {
    const std::lock_guard lock(mutex_);
    look_now_ = true;
  }
  changed_.notify_one();
}

void StopWatcher::watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    look_now_ = false;
    std::int64_t next_ns = kNever;
    for (Entry& entry : entries_) {
      next_ns = std::min(next_ns, look_at_chain(entry.innermost, monotonic_ns(), entry.cpu_clock, LookAt::watched));
    }
    const auto ready = [&] { return look_now_ || ending_; };
    if (next_ns == kNever)
      changed_.wait(lock, ready);
    else
      changed_.wait_until(lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next_ns)), ready);
  }
}

}  // namespace fusebox::engine
