#include "fleet/store/committer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace fusebox::fleet {

Committer::Committer(Options options) : options_(std::move(options)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), options_.thread_name.c_str());
}

Committer::~Committer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool Committer::submit(PendingWrite write) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueueMax) return false;
    queue_.push_back(std::move(write));
    if (queue_.size() != wake_at_) return true;
  }
  wake_.notify_one();
  return true;
}

void Committer::gather(std::unique_lock<std::mutex>& lock) {
  if (gather_pause_ > 0) {
    --gather_pause_;
    return;
  }
  const std::size_t expected = std::min<std::size_t>(last_batch_ + queue_.size(), options_.batch_max);
  const base::Nanos most = std::min(last_took_ / 8, kGatherMax);
  if (last_batch_ < 2 || queue_.size() >= expected || most < std::chrono::microseconds{20}) return;
  wake_at_ = expected;
  const bool came = wake_.wait_for(lock, most, [&] { return stopping_ || queue_.size() >= expected; });
  wake_at_ = 1;
  // Half of them is a gain already; few are not worth the wait.
  if (!came && queue_.size() * 4 < expected * 3) gather_pause_ = kGatherPause;
}

void Committer::run() {
  std::vector<PendingWrite> batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const auto ready = [&] { return stopping_ || !queue_.empty(); };
      while (options_.idle && idle_work_ && !wake_.wait_for(lock, options_.idle_after, ready)) {
        lock.unlock();
        idle_work_ = options_.idle();
        lock.lock();
      }
      wake_.wait(lock, ready);
      idle_work_ = true;
      if (queue_.empty()) return;
      gather(lock);
      const std::size_t count = std::min<std::size_t>(queue_.size(), options_.batch_max);
      for (std::size_t i = 0; i < count; ++i) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    const base::Nanos begun = options_.clock->monotonic();
    options_.commit(batch);
    last_took_ = options_.clock->monotonic() - begun;
    last_batch_ = batch.size();
    for (PendingWrite& write : batch) write.done.set(std::move(write.outcome));
    batch.clear();
  }
}

}  // namespace fusebox::fleet
