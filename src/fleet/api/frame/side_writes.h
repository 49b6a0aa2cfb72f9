// Writes nobody waits for: refusals on record, times of last use. They never hold up an answer and never pile up.
//
// Owner    the store and the executor outlive it; close() before it is destroyed.
// Threads  add(): any. close(): a task of any executor.
// Limits   kSideWritesMax waiting; beyond, new ones are dropped and counted. A flood of refusals must not fill the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "base/executor.h"
#include "base/task.h"
#include "base/wait.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::size_t kSideWritesMax = 1024;  // a second of a flood; one transaction takes them all

class SideWrites {
 public:
  using Write = std::function<void(Tx&)>;
  SideWrites(Store& store, base::Executor& executor) noexcept : store_(store), executor_(executor) {}
  SideWrites(const SideWrites&) = delete;
  SideWrites& operator=(const SideWrites&) = delete;

  void add(Write write);
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  base::Task<void> close(base::Executor& home);  // what was added is written, as far as the store takes it

 private:
  base::Task<void> write_all();

  Store& store_;
  base::Executor& executor_;
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  std::vector<Write> waiting_;  // guarded by mutex_, as the rest
  bool writing_ = false, closed_ = false;
  base::Completion<bool> ended_;
};

}  // namespace fusebox::fleet
