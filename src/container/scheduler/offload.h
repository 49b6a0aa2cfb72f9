// A few threads for work that blocks: name resolution, compiling, large fsyncs.
//
// Of the work that waits the newest and the oldest go in turn: one who asks last waits for little, none waits for ever.
// Threads start when work waits and end after some idle seconds.
// Owner    destruction runs what is queued and joins.
// Threads  run(): any.
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

 private:
  static void* main_of(void* self) noexcept;
  void loop();
  std::unique_ptr<std::function<void()>> take();  // needs the lock and work
  void join_ended();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<std::function<void()>>> queue_;  // guarded by mutex_, as all below
  bool oldest_is_due_ = true;
  std::vector<pthread_t> ended_;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace fusebox::container
