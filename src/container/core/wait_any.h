// A thread of the host that waits for any of several changes.
//
// Threads  any; each wait has its own waker.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "container/daemon/blocking_wait.h"
#include "vfs/wait.h"

namespace fusebox::container {

// Until one of `waits.changes()` happens, or `until`. Host descriptors and the set's own deadline are not looked at.
inline void wait_any(const vfs::WaitSet& waits, std::chrono::steady_clock::time_point until) {
  BlockingWaker waker;
  std::vector<vfs::WakeList*> entered;
  const bool all = std::ranges::all_of(waits.changes(), [&](const vfs::WaitSet::Change& change) {
    if (!change.list->add(waker, change.seen)) return false;
    entered.push_back(change.list.get());
    return true;
  });
  if (all) waker.wait_until(until);
  for (vfs::WakeList* list : entered) list->remove(waker);
}

}  // namespace fusebox::container
