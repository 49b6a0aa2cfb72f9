#include "edge/host/owner_lock.h"

#include "edge/host/process_fence.h"

namespace fusebox::edge {

OwnerLock::OwnerLock() noexcept : waiters_fence_(may_fence_process()) {}

bool OwnerLock::wait(const void* me) noexcept {
  if (inside()) return false;
  waiting_.fetch_add(1);
  if (waiters_fence_) fence_process();
  bool passed_over = false;
  for (;;) {
    const std::uint32_t seen = freed_.load();
    const bool may_take = passed_over || passed_over_.load() == 0;
    const void* holder = nullptr;
    if (may_take && owner_.compare_exchange_strong(holder, me)) break;
    freed_.wait(seen);
    if (passed_over || !may_take) continue;
    passed_over = true;
    passed_over_.fetch_add(1);
  }
  if (passed_over) passed_over_.fetch_sub(1);
  waiting_.fetch_sub(1);
  return true;
}

// All of them: the one that may take the lock next is not known here.
void OwnerLock::wake() noexcept {
  freed_.fetch_add(1);
  freed_.notify_all();
}

}  // namespace fusebox::edge
