// One thread of the scheduler. Internal to container/scheduler.
//
// Threads  the scheduler's lock guards what is not said otherwise.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "container/scheduler/pause.h"
#include "container/scheduler/place.h"

namespace fusebox::container {

struct Worker {
  void* scheduler = nullptr;  // Scheduler::Impl
  pthread_t thread{};
  clockid_t cpu_clock{};
  Pause pause;
  std::shared_ptr<Place> current;  // of the turn under way
  std::uint64_t turns = 0;         // begun
  std::uint64_t turn_seen = 0;     // by the reactor, for how long it has lasted
  std::int64_t seen_at_ns = 0;     // the same
  std::int64_t turn_began_ns = 0;  // monotonic
  std::int64_t turn_cpu_ns = 0;    // the thread's CPU clock when it was last read before the turn
  std::int64_t kernel_ns = 0;      // the thread's time in the kernel, read together with it
  bool written_off = false;
  bool hog_running = false;           // written off and not asked to pause
  bool share_paused = false;          // asked to pause until its task's window ends
  bool let_finish = false;            // somebody ends this turn: not to be paused again
  std::int64_t running_since_ns = 0;  // as a hog

  // How much CPU time the turn under way has used, at most; read by another thread.
  std::int64_t turn_cpu_so_far(std::int64_t now_ns) const noexcept;

  // What the turn under way has used, on the worker's own thread.
  struct Spent {
    std::int64_t cpu_ns = 0;
    std::int64_t kernel_ns = 0;         // the part of cpu_ns in the kernel
    std::int64_t thread_cpu_ns = 0;     // the readings behind it, for the turns to come
    std::int64_t thread_kernel_ns = 0;  // the same
  };
  Spent turn_spent(std::int64_t took_ns) const noexcept;
};

}  // namespace fusebox::container
