// Standard input in pieces, read by a thread of its own because a terminal cannot be waited for by the network's loop.
//
// Owner    the destructor ends the thread; it wakes at most kInputPollMs later.
// Threads  `piece` runs on the loop's thread; taken() there too. The reader waits until a piece was taken.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/executor.h"

namespace fusebox::cli::fleet {

class InputPump {
 public:
  // An empty piece: the end.
  InputPump(int fd, base::Executor& loop, std::function<void(std::string piece)> piece);
  ~InputPump();
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;
  void taken();

 private:
  void read();
  int fd_;
  base::Executor& loop_;
  std::shared_ptr<const std::function<void(std::string)>> piece_;  // what was posted does not outlive the pump
  std::mutex mutex_;
  std::condition_variable wake_;
  bool waiting_ = false;  // guarded by mutex_: a piece is with the loop
  bool over_ = false;     // guarded by mutex_
  std::thread reader_;
};

}  // namespace fusebox::cli::fleet
