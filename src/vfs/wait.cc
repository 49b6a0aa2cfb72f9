#include "vfs/wait.h"

#include <algorithm>

namespace fusebox::vfs {

// add() counts itself in before it compares the version, changed() moves the version before it looks at the count: in one
// total order at least one of the two sees the other.
bool WakeList::add(Waker& waker, std::uint64_t seen) {
  const std::lock_guard lock(mutex_);
  count_.fetch_add(1, std::memory_order_seq_cst);
  if (version_.load(std::memory_order_seq_cst) != seen) {
    count_.fetch_sub(1, std::memory_order_seq_cst);
    return false;
  }
  wakers_.push_back(&waker);
  return true;
}

void WakeList::remove(Waker& waker) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(wakers_, &waker);
  if (found == wakers_.end()) return;
  *found = wakers_.back();
  wakers_.pop_back();
  count_.fetch_sub(1, std::memory_order_seq_cst);
}

void WakeList::changed() noexcept {
  version_.fetch_add(1, std::memory_order_seq_cst);
  if (count_.load(std::memory_order_seq_cst) == 0) return;
  const std::lock_guard lock(mutex_);
  for (Waker* waker : wakers_) waker->wake();
}

}  // namespace fusebox::vfs
