// How an operation that cannot finish now says what it waits for, without holding a thread.
//
// An operation tries; when it would block it adds to Call::waits what may change the answer and returns
// Errno::would_block. Whoever runs the guest (container/scheduler) parks it until one of those happens, a stop or a limit
// comes, and then asks the same operation again. Being woken for nothing is allowed; being forgotten is not.
//
// Owner    a WakeList belongs to the object that changes and outlives every Waker on it: objects are shared_ptr and a
//          WaitSet holds one. A Waker belongs to the waiting party.
// Threads  WakeList: any. WaitSet: its call's thread. Waker::wake(): any thread, also under another object's lock, so it
//          may only hand the waiting party over, never run it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"

namespace fusebox::vfs {

class Waker {
 public:
  virtual void wake() noexcept = 0;

 protected:
  ~Waker() = default;
};

// Of an object of ours that changes: a pipe, a log, the list of containers.
class WakeList {
 public:
  // To be read while the object is locked and found not ready; a change in between is then not missed.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  // False, and not added, when the object changed after `seen`.
  bool add(Waker& waker, std::uint64_t seen);
  void remove(Waker& waker) noexcept;
  // The object changed: whoever waits is woken. Nearly free when nobody does. Call it after the change, in or out of the
  // object's lock.
  void changed() noexcept;

 private:
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint32_t> count_{0};
  std::mutex mutex_;
  std::vector<Waker*> wakers_;  // guarded by mutex_
};

// Everything one operation waits for; any of them ends the wait.
class WaitSet {
 public:
  struct Change {
    std::shared_ptr<WakeList> list;  // may alias the object that owns it
    std::uint64_t seen = 0;
  };
  struct Ready {
    int host_fd = -1;
    short events = 0;  // POLLIN, POLLOUT
  };
  void until(base::Nanos monotonic) noexcept {
    if (monotonic < deadline_) deadline_ = monotonic;
  }
  void changed(std::shared_ptr<WakeList> list, std::uint64_t seen) { changes_.push_back({std::move(list), seen}); }
  void host_ready(int fd, short events) { ready_.push_back({fd, events}); }
  void clear() noexcept {
    deadline_ = kNever;
    changes_.clear();
    ready_.clear();
  }
  static constexpr base::Nanos kNever = base::Nanos::max();
  base::Nanos deadline() const noexcept { return deadline_; }
  const std::vector<Change>& changes() const noexcept { return changes_; }
  const std::vector<Ready>& ready() const noexcept { return ready_; }

 private:
  base::Nanos deadline_ = kNever;
  std::vector<Change> changes_;
  std::vector<Ready> ready_;
};

}  // namespace fusebox::vfs
