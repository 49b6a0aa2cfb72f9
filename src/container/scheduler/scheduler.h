// Runs containers as fibers on a few threads: whoever waits holds no thread, whoever computes too long keeps the one it has.
//
// A Task is asked to take turns. A turn ends when the guest ends or waits. Between turns the scheduler watches what the
// task waits for: changes of our own objects, readiness of host descriptors (one epoll thread), deadlines (timers of that
// thread). A worker whose task computes past `slice` is written off: another worker takes over the tasks behind it, and
// its thread, at lower priority, belongs to that one turn. Written-off threads beyond running_max are paused in turn, each
// inside guest code, where it holds no lock. So any number of spinning guests leaves the others responsive, and the
// kernel's run queue stays short enough for a stop to be prompt. Tasks that were woken go before tasks that are new; of
// the new ones the newest goes first, but every fourth time the oldest (start_queue.h).
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

// Where a task's compiled guest code lies; its thread may be paused while it runs there. Empty = nowhere.
struct CodeRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

class Task {
 public:
  virtual ~Task() = default;
  enum class Turn : std::uint8_t { wait, again, done };
  // Runs until the guest waits or ends. wait: waits() holds what for. again: soon, behind the others.
  virtual Turn turn() = 0;
  virtual const vfs::WaitSet& waits() const = 0;
  virtual CodeRange code() const noexcept { return {}; }  // asked before each turn
  virtual void ended() noexcept {}                        // after the last turn, without locks

 private:
  friend class Scheduler;
  std::shared_ptr<void> place_;  // the scheduler's own state of this task
};

struct SchedulerOptions {
  std::uint32_t workers = 0;         // 0 = processors this process may use, at least 2
  std::uint32_t threads_max = 4096;  // workers and written-off threads together; beyond, hogs keep their worker
  std::uint32_t running_max = 0;     // written-off threads not paused; 0 = twice the processors
  base::Nanos slice{10'000'000};     // contract 16.5
  std::uint64_t worker_stack_bytes = 256u << 10;
};

inline constexpr base::Nanos kShareWindow{100'000'000};  // contract 5.3, cpuPercent

class Scheduler {
 public:
  static base::Result<std::unique_ptr<Scheduler>> create(const SchedulerOptions& options, const base::Clock& clock);
  ~Scheduler();  // waits for the tasks to end
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void start(std::shared_ptr<Task> task);
  // Ends the task's wait, whatever it waits for; remembered when it is running, without effect once done.
  void wake(Task& task) noexcept;
  // Share of one processor (contract cpuPercent, window 100 ms), 0 = none: the thread that computes beyond it is paused.
  void set_share(Task& task, std::uint32_t percent) noexcept;
  // CPU time of the task's turns so far, also of the one under way.
  base::Nanos cpu_time(const Task& task) const noexcept;
  // The part of it in the kernel on the task's behalf; of short turns an estimate, of the one under way only when asked
  // from within it.
  base::Nanos kernel_time(const Task& task) const noexcept;

  // Work that would block a worker (name resolution, compiling, fsync of large files): on one of a few threads. `work`
  // runs once; nobody waits for it here.
  void offload(std::unique_ptr<std::function<void()>> work);
  // Until all of it has run and is destroyed; not on one of its threads.
  void finish_offloaded();

  // For clocks that tests move by hand: deadlines are looked at now.
  void clock_moved() noexcept;

  struct Statistics {
    std::uint32_t threads = 0;      // workers and written-off ones
    std::uint32_t tasks = 0;        // started and not ended
    std::uint64_t written_off = 0;  // turns that were, in all
    std::uint64_t pauses = 0;       // threads that were paused, in all
  };
  Statistics statistics() const noexcept;

 private:
  friend struct Place;
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::container
