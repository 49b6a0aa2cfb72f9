// What the scheduler knows of one task. Internal to container/scheduler.
//
// Owner    the task, and every queue and table it stands in.
// Threads  the scheduler's lock guards what is not said otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "container/scheduler/scheduler.h"
#include "vfs/wait.h"

namespace fusebox::container {

struct Worker;

struct Place final : vfs::Waker, std::enable_shared_from_this<Place> {
  enum class State : std::uint8_t {
    queued,
    running,
    parking,  // its waits are being entered: a wake now is remembered
    parked,
    done,
  };

  // Called by WakeLists under their locks: only ever queues.
  void wake() noexcept override;

  void* scheduler = nullptr;  // Scheduler::Impl
  std::shared_ptr<Task> task;
  std::uint64_t number = 0;  // by the order of their starts
  std::uint32_t turns = 0;   // begun, while there are few
  State state = State::queued;
  bool woken = false;   // while running or parking
  bool forced = false;  // by Scheduler::wake(): runs even when its share is used up
  Worker* worker = nullptr;

  // What it waits for, while parked. Touched by the worker that parks it and by the one that runs it next.
  std::vector<std::shared_ptr<vfs::WakeList>> lists;
  std::vector<int> fds;
  base::Nanos deadline = vfs::WaitSet::kNever;

  std::atomic<std::int64_t> cpu_ns{0};     // of finished turns
  std::atomic<std::int64_t> kernel_ns{0};  // the part of it spent in the kernel, as far as it was measured
  std::uint32_t share_percent = 0;
  std::int64_t window_began_ns = 0;   // of the share
  std::int64_t window_cpu_ns = 0;     // CPU time at its begin
  std::int64_t window_budget_ns = 0;  // what it may use in it; less after a window that used more
};

}  // namespace fusebox::container
