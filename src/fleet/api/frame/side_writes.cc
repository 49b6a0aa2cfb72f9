#include "fleet/api/frame/side_writes.h"

#include <utility>

namespace fusebox::fleet {

void SideWrites::add(Write write) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() >= kSideWritesMax) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    waiting_.push_back(std::move(write));
    if (std::exchange(writing_, true)) return;
  }
  base::spawn(executor_, write_all());
}

base::Task<void> SideWrites::write_all() {
  while (true) {
    std::vector<Write> batch;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(waiting_);
      if (batch.empty()) {
        writing_ = false;
        if (closed_) ended_.set(true);
        co_return;
      }
    }
    const auto done = co_await store_.write(executor_, [&batch](Tx& tx) -> base::Result<void> {
      for (const Write& write : batch) write(tx);
      return {};
    });
    if (!done) dropped_.fetch_add(batch.size(), std::memory_order_relaxed);
  }
}

base::Task<void> SideWrites::close(base::Executor& home) {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (!writing_) co_return;
  }
  co_await ended_.wait(home);
}

}  // namespace fusebox::fleet
