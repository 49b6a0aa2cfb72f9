// Work that blocks, run on another thread; its result comes to whoever waits.
//
// Not a task itself: a lambda that is a parameter of a coroutine and a temporary of a co_await is destroyed twice by gcc 12.
//
// Threads  `work` runs on a thread of the offload and must own what it uses.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/result.h"
#include "base/wait.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::host {

template <class T, class Work>
base::Completion<base::Result<T>> elsewhere(const vfs::Offload& offload, Work work) {
  const base::Completion<base::Result<T>> done;
  offload(std::make_unique<std::function<void()>>([done, work = std::move(work)] { done.set(work()); }));
  return done;
}

}  // namespace fusebox::host
