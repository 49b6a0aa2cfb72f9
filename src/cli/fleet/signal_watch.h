// Tells the network's loop that a signal came: SIGWINCH while attached, SIGINT while a command runs far away.
//
// Owner    blocks the signals while it lives; the destructor restores them and ends its thread.
// Threads  make it before other threads start. `on_signal` runs on the loop's thread. One at a time per process.
#pragma once

#include <signal.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace fusebox::cli::fleet {

// Keeps signals from this thread and those it starts, until a watch takes them: a thread that was started without would
// be ended by them, and the process with it.
class BlockedSignals {
 public:
  explicit BlockedSignals(const std::vector<int>& signals);
  ~BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

class SignalWatch {
 public:
  SignalWatch(const std::vector<int>& signals, base::Executor& loop, std::function<void(int signal)> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void wait();
  base::Executor& loop_;
  std::shared_ptr<const std::function<void(int)>> on_signal_;  // what was posted outlives neither it nor the watch
  sigset_t signals_{};
  sigset_t before_{};
  std::thread waiter_;
};

}  // namespace fusebox::cli::fleet
