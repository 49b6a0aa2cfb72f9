// The one thread that writes: takes what waits, has it committed together, tells each caller. Internal to fleet/store.
//
// Owner    the destructor commits what waits and joins the thread. `commit` and `idle` outlive it.
// Threads  submit(): any. `commit` and `idle` are called on the thread of the committer alone.
// Limits   kQueueMax closures wait; a further one is refused.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "base/clock.h"
#include "fleet/store/batch.h"

namespace fusebox::fleet {

inline constexpr std::size_t kQueueMax = 16'384;  // about two seconds of writes; callers that wait longer have given up
inline constexpr base::Nanos kGatherMax = std::chrono::milliseconds{1};
inline constexpr std::uint32_t kGatherPause = 8;  // batches, after callers were waited for in vain

class Committer {
 public:
  struct Options {
    std::string thread_name;  // at most 15 bytes
    std::uint32_t batch_max = 256;
    const base::Clock* clock = nullptr;
    std::function<void(std::span<PendingWrite>)> commit;  // sets every outcome
    std::function<bool()> idle;  // nothing has come for idle_after; whether to be called again if nothing comes still
    base::Nanos idle_after = std::chrono::milliseconds{50};
  };
  explicit Committer(Options options);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // False: the queue is full.
  bool submit(PendingWrite write);

 private:
  void run();
  // Callers whose writes were just committed often come back with the next at once. A commit costs the same for few and
  // for many, so a small part of its time is well spent on waiting for them.
  void gather(std::unique_lock<std::mutex>& lock);

  Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<PendingWrite> queue_;  // guarded by mutex_, as below
  std::size_t wake_at_ = 1;         // how many must wait before the thread is woken
  bool stopping_ = false;
  std::size_t last_batch_ = 0;  // the thread's own, as below
  base::Nanos last_took_{0};
  bool idle_work_ = true;
  std::uint32_t gather_pause_ = 0;
  std::thread thread_;
};

}  // namespace fusebox::fleet
