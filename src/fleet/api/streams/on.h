// Moving between executors: the engine and its providers live on one, each connection on its own loop's.
//
// Threads  see each.
#pragma once

#include <memory>
#include <utility>

#include "base/executor.h"
#include "base/task.h"
#include "base/wait.h"

namespace fusebox::fleet {

// Runs `task` on `there` and goes on at `home`. What the task's parameters hold is destroyed at home: hand over only
// plain values and Owned things.
template <class T>
base::Task<T> on(base::Executor& there, base::Executor& home, base::Task<T> task) {
  if (&there != &home) co_await base::resume_on(there);
  T value = co_await std::move(task);
  if (&there != &home) co_await base::resume_on(home);
  co_return std::move(value);
}

// A thing that may be destroyed only on its executor's thread, held anywhere.
template <class T>
struct DestroyOn {
  base::Executor* executor = nullptr;
  void operator()(T* thing) const {
    executor->post([owned = std::unique_ptr<T>(thing)]() mutable { owned.reset(); });
  }
};
template <class T>
using Owned = std::unique_ptr<T, DestroyOn<T>>;

template <class T>
Owned<T> owned_by(base::Executor& executor, std::unique_ptr<T> thing) {
  return Owned<T>(thing.release(), DestroyOn<T>{&executor});
}

}  // namespace fusebox::fleet
