// A few threads for work that blocks: name resolution, compiling, large fsyncs.
//
// Of the work that waits the newest and the oldest go in turn: one who asks last waits for little, none waits for ever.
// Threads start when work waits and end after some idle seconds.
// Owner    destruction runs what is queued and joins; never on one of its own threads.
// Threads  run(): any, also what a work's end destroys. finish(): any but its own.
// Limits   kThreadsMax: each may hang in a resolver for seconds; that many can before work must queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <pthread.h>

namespace fusebox::container {

class Offload {
 public:
  static constexpr std::size_t kThreadsMax = 16;
  Offload() = default;
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;
  ~Offload();

  void run(std::unique_ptr<std::function<void()>> work);
  // Until nothing is queued and what has run is destroyed, with all it held.
  void finish();

 private:
  static void* main_of(void* self) noexcept;
  void loop();
  std::unique_ptr<std::function<void()>> take();  // needs the lock and work
  void join_ended();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable finished_;                          // nothing is queued or running
  std::deque<std::unique_ptr<std::function<void()>>> queue_;  // guarded by mutex_, as all below
  bool oldest_is_due_ = true;
  std::vector<pthread_t> ended_;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  std::size_t busy_ = 0;  // that run or destroy a work
  bool stopping_ = false;
};

}  // namespace fusebox::container
