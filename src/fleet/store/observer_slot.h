// The one observer a store tells, which may leave at any time. Internal to fleet/store.
//
// Owner    borrows the observer; when set() returns, the one before it is told nothing more and may go.
// Threads  any. The observer is called by one thread at a time and must not call set().
#pragma once

#include <mutex>

#include "fleet/store/store.h"

namespace fusebox::fleet {

class ObserverSlot {
 public:
  void set(CommitObserver* observer) {
    const std::lock_guard lock(mutex_);
    observer_ = observer;
  }
  template <class Tell>
  void tell(const Tell& what) {
    const std::lock_guard lock(mutex_);
    if (observer_ != nullptr) what(*observer_);
  }

 private:
  std::mutex mutex_;
  CommitObserver* observer_ = nullptr;  // guarded by mutex_
};

}  // namespace fusebox::fleet
