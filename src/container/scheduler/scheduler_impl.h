// The parts of the scheduler. Internal to container/scheduler.
//
// Locks    mutex_ is taken last, also under the locks of WakeLists; nothing is called under it but the kernel.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "container/scheduler/offload.h"
#include "container/scheduler/reactor.h"
#include "container/scheduler/scheduler.h"
#include "container/scheduler/start_queue.h"
#include "container/scheduler/worker.h"

namespace fusebox::container {

struct Scheduler::Impl {
  SchedulerOptions options;
  const base::Clock& clock;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<Offload> offload;

  Impl(const SchedulerOptions& from, const base::Clock& its_clock) : options(from), clock(its_clock) {}
  ~Impl();
  base::Result<void> begin();

  void start(std::shared_ptr<Task> task);
  void wake(Place& place, bool forced) noexcept;
  void set_share(Place& place, std::uint32_t percent) noexcept;
  base::Nanos cpu_time(const Place& place) const noexcept;
  base::Nanos kernel_time(const Place& place) const noexcept;
  Statistics statistics() const noexcept;

 private:
  // Workers (scheduler_worker.cc).
  static void* worker_main(void* worker) noexcept;
  void work(Worker& worker);
  std::shared_ptr<Place> next_place();  // needs the lock
  void run_turn(Worker& worker, const std::shared_ptr<Place>& place, std::unique_lock<std::mutex>& lock);
  void after_turn(const std::shared_ptr<Place>& place, Task::Turn turn, std::unique_lock<std::mutex>& lock);
  void park(const std::shared_ptr<Place>& place, base::Nanos only_until, std::unique_lock<std::mutex>& lock);
  bool wait_for(const std::shared_ptr<Place>& place, base::Nanos only_until);
  void forget_waits(Place& place);
  void enqueue(const std::shared_ptr<Place>& place, bool woken) noexcept;
  base::Result<void> add_worker();  // needs the lock
  void join_ended();

  // The reactor's thread (scheduler_watch.cc).
  static void* reactor_main(void* self) noexcept;
  void watch();
  bool look_at_workers(std::int64_t now_ns);  // needs the lock; whether any runs
  void write_off(Worker& worker, std::int64_t now_ns);
  void rotate_hogs(std::int64_t now_ns);
  void look_at_shares(std::int64_t now_ns);
  void let_run(Worker& worker, std::int64_t now_ns) noexcept;
  // What is left of the window's share; a new window begins when the old one is over.
  std::int64_t share_left_ns(Place& place, std::int64_t now_ns) const noexcept;
  std::int64_t now_ns() const noexcept { return clock.monotonic().count(); }

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable no_tasks_;
  std::deque<std::shared_ptr<Place>> woken_;  // guarded by mutex_, as all below
  std::deque<std::shared_ptr<Place>> again_;
  StartQueue starting_;             // in their first turns
  std::uint32_t since_others_ = 0;  // woken tasks taken since one of the others
  std::uint32_t since_again_ = 0;   // starting tasks taken since one that asked for another turn
  std::uint64_t started_ = 0;       // tasks, in all
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Worker>> ended_;
  std::uint32_t active_ = 0;  // workers not written off
  std::uint32_t idle_ = 0;
  std::uint32_t tasks_ = 0;
  std::uint64_t written_off_ = 0;
  std::uint64_t pauses_ = 0;
  bool ticking_ = false;
  bool stopping_ = false;
  pthread_t reactor_thread_{};
  bool reactor_runs_ = false;
};

}  // namespace fusebox::container
