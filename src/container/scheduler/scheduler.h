// Runs containers as fibers on a few threads: whoever waits holds no thread, whoever computes too long keeps the one it has.
//
// A Task is asked to take turns. A turn ends when the guest ends or waits. Between turns the scheduler watches what the
// task waits for: changes of our own objects, readiness of host descriptors (one epoll thread), deadlines (a timer heap of
// that thread). A worker whose task computes past `slice` is written off for others: the tasks behind it are taken over
// by another worker (a parked one, or a new one up to threads_max), and its thread runs at lower priority until the turn
// ends. So any number of spinning guests leaves the others responsive. Beyond threads_max spinning guests share the
// threads: the longest runner's thread is paused in turn (pause_running).
//
// Owner    the scheduler keeps tasks alive while queued, running or parked.
// Threads  all public functions: any. Task::turn(): one worker at a time.
// Contract containers.md 16.5 (fairness), issue "container"
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "vfs/wait.h"

namespace fusebox::container {

class Task {
 public:
  virtual ~Task() = default;
  enum class Turn : std::uint8_t { wait, again, done };
  // Runs until the guest waits or ends. wait: waits() holds what for. again: soon, behind the others.
  virtual Turn turn() = 0;
  virtual const vfs::WaitSet& waits() const = 0;
  virtual void ended() noexcept {}  // after the last turn, without locks

 private:
  friend class Scheduler;
  std::shared_ptr<void> place_;  // the scheduler's own state of this task
};

struct SchedulerOptions {
  std::uint32_t workers = 0;         // 0 = processors this process may use
  std::uint32_t threads_max = 4096;  // workers and written-off threads together
  base::Nanos slice{10'000'000};     // contract 16.5
  std::uint64_t worker_stack_bytes = 256u << 10;
};

class Scheduler {
 public:
  static base::Result<std::unique_ptr<Scheduler>> create(const SchedulerOptions& options, const base::Clock& clock);
  ~Scheduler();  // every task must have ended
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void start(std::shared_ptr<Task> task);
  // Ends the task's wait, whatever it waits for; remembered when it is running, without effect once done.
  void wake(Task& task) noexcept;
  // Share of one processor (contract cpuPercent, window 100 ms), 0 = none: the thread that computes beyond it is paused.
  void set_share(Task& task, std::uint32_t percent) noexcept;
  // CPU time of the task's turns so far, also of the one under way.
  base::Nanos cpu_time(const Task& task) const noexcept;

  // Work that would block a worker (name resolution, compiling, fsync of large files): on one of a few threads. `work`
  // runs once; nobody waits for it here.
  void offload(std::unique_ptr<std::function<void()>> work);

  struct Statistics {
    std::uint32_t threads = 0;
    std::uint32_t tasks = 0;
    std::uint64_t written_off = 0;
  };
  Statistics statistics() const noexcept;

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::container
