// Everything that ends a stream from outside: its caller's key, its environment, the server's close.
//
// Owner    lives inside the handler that serves the stream. `end` is called at most once, at home, while it lives.
// Threads  made and destroyed at home.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "fleet/api/frame/call.h"
#include "fleet/api/frame/live_streams.h"

namespace fusebox::fleet {

// How long a reader may take nothing once its stream is to end.
inline constexpr std::chrono::seconds kLastStall{30};

class StreamEnd {
 public:
  using Until = LiveStreams::Until;
  // `tokens`: of the lease and of the peer; may be requested on any thread.
  StreamEnd(Call& call, std::function<void()> end, Until until, std::stop_token lease, std::stop_token peer = {});
  ~StreamEnd();
  StreamEnd(const StreamEnd&) = delete;
  StreamEnd& operator=(const StreamEnd&) = delete;

 private:
  struct State {
    std::function<void()> end;
    void once();
  };
  struct Post {
    std::shared_ptr<State> state;
    base::Executor* home;
    void operator()() const;
  };
  std::shared_ptr<State> state_;
  LiveStreams::Entry entry_;
  std::stop_callback<Post> lease_;
  std::stop_callback<Post> peer_;
};

}  // namespace fusebox::fleet
