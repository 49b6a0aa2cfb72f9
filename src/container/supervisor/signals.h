// SIGTERM and SIGINT as a request, on a thread of their own; SIGPIPE ignored. For whole programs only.
//
// Made before other threads are, so that all of them have the signals blocked. The second signal ends the process at once
// with 128 + its number.
// Owner    destruction joins the thread and takes nothing back: the process is about to end or to run again.
// Contract containers.md 2.3
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "base/files.h"

namespace fusebox::container {

class SignalThread {
 public:
  static std::unique_ptr<SignalThread> start(std::function<void()> on_first);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  SignalThread(base::Fd signals, base::Fd end, std::function<void()> on_first);
  void loop();

  base::Fd signals_;
  base::Fd end_;
  std::function<void()> on_first_;
  std::thread thread_;
};

}  // namespace fusebox::container
