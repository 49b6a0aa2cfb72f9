// A streamed answer of one JSON object a line, with a sign of life while there is nothing to say.
//
// Owner    shared with the writes under way; finish() or the end of the process ends it.
// Threads  the connection's loop.
// Contract control-plane.md 5.5, 5.6
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/task.h"
#include "base/wait.h"
#include "http/server/exchange.h"

namespace fusebox::fleet {

inline constexpr std::chrono::seconds kLineKeepAlive{15};  // contract

class LineStream : public std::enable_shared_from_this<LineStream> {
 public:
  LineStream(base::Executor& home, std::unique_ptr<http::ResponseStream> stream)
      : home_(home), stream_(std::move(stream)), writer_(home, 1) {}
  void keep_alive();  // from now on
  base::Task<base::Result<void>> line(std::string json);
  base::Task<base::Result<void>> finish();
  // What is still to be said is said to a peer that takes it within kLastStall; one that pauses is not waited for.
  void hurry();
  std::stop_token gone() const noexcept { return stream_->gone(); }

 private:
  void arm();
  static base::Task<void> say_alive(std::shared_ptr<LineStream> self, base::Places::Place place);

  base::Executor& home_;
  std::unique_ptr<http::ResponseStream> stream_;
  base::Places writer_;
  base::Executor::TimerId timer_ = 0;
  bool quiet_ = false;  // since the last look
  bool finished_ = false;
};

}  // namespace fusebox::fleet
