// A lock that knows its owner, and answers at once when the owner asks for it again.
//
// A waiter that slept once closes the lock to newcomers until it has had it: whoever takes and leaves it in a tight loop
// keeps nobody out.
// Leaving costs a store: the fence it would need is asked of the kernel by whoever has to wait (process_fence.h), where it can.
// Threads  any. Not for signal handlers.
#pragma once

#include <atomic>
#include <cstdint>

namespace fusebox::edge {

class OwnerLock {
 public:
  OwnerLock() noexcept;
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

  // False, at once, when this thread holds it already.
  bool enter() noexcept {
    const void* const me = this_thread();
    const void* holder = nullptr;
    if (passed_over_.load(std::memory_order_relaxed) == 0 &&
        owner_.compare_exchange_strong(holder, me, std::memory_order_acquire, std::memory_order_relaxed)) [[likely]]
      return true;
    if (holder == me) return false;
    return wait(me);
  }
  void leave() noexcept {
    // Either this thread sees the waiter, or the waiter's fence has made it see that the lock is free.
    if (waiters_fence_) [[likely]] {
      owner_.store(nullptr, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      owner_.store(nullptr, std::memory_order_seq_cst);
    }
    if (waiting_.load(std::memory_order_seq_cst) != 0) [[unlikely]]
      wake();
  }
  bool inside() const noexcept { return owner_.load(std::memory_order_relaxed) == this_thread(); }

 private:
  static const void* this_thread() noexcept {
    static constinit thread_local char here = 0;
    return &here;
  }
  bool wait(const void* me) noexcept;
  void wake() noexcept;

  const bool waiters_fence_;  // on behalf of all threads of the process
  std::atomic<const void*> owner_{nullptr};
  std::atomic<std::uint32_t> waiting_{0};
  std::atomic<std::uint32_t> passed_over_{0};  // waiters that slept already
  std::atomic<std::uint32_t> freed_{0};        // counts wake-ups: what waiters sleep on
};

}  // namespace fusebox::edge
