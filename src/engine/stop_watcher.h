// The other way to stop guests: one thread that writes their counters. Used where signals do not reach a spinning guest
// (the thread sanitizer delivers them only at calls it intercepts). Late by a thread's wake-up, some 80 us, instead
// of 15.
//
// Owner    an Engine whose options choose it; stop handles share it. Its thread is made here, is named "fusebox-stop",
// and is
//          joined when the last owner goes.
// Threads  every function: any thread. A slot is looked at only between enter() and leave().
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/stop_slot.h"

namespace fusebox::engine {

class StopWatcher {
 public:
  static std::shared_ptr<StopWatcher> create();
  ~StopWatcher();
  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;

  // The calling thread runs the slot's call from now on; its outer calls are looked at with it.
  void enter(CallSlot& slot);
  void leave(CallSlot& slot);
  void wake();

 private:
  struct Entry {
    CallSlot* innermost;
    pthread_t thread;
    clockid_t cpu_clock;
  };
  StopWatcher() = default;
  void watch();
  std::vector<Entry>::iterator find(pthread_t thread);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Entry> entries_;  // one for each thread inside a guest
  bool look_now_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fusebox::engine
