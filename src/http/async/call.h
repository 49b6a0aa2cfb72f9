// One call of a client: its bounds in time, what it waits for now, and the error it ends with.
//
// Internal to src/http/async.
// Owner    shared by the tasks of the call; ending it closes the socket they wait for.
// Threads  the loop's. A stop may be requested on any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "http/async/async_client.h"
#include "http/deadline.h"
#include "http/socket.h"

namespace fusebox::http {

class Call : public std::enable_shared_from_this<Call> {
 public:
  static std::shared_ptr<Call> begin(Loop& loop, base::Nanos limit, std::stop_token stop);

  bool ended() const noexcept { return why_ != Why::going_on; }
  // What ending the call does: closes this socket, or runs `work` once. The last one told counts.
  void waits_for(std::shared_ptr<Socket> socket) noexcept;
  void waits_for(std::function<void()> work) noexcept;
  void lift_limit() noexcept { limit_.clear(); }  // a stop still ends the call

  bool sent = false;  // some byte of the request may have reached the server

  // The error of a call that failed while doing `what`: the call's own end comes before what the transport said.
  std::unexpected<base::Error> failure(base::Errc code, std::string what, bool refused = false) const;

 private:
  enum class Why : std::uint8_t { going_on, too_late, stopped };
  Call(Loop& loop) : limit_(loop, [this] { end(Why::too_late); }) {}
  void end(Why why);

  Why why_ = Why::going_on;
  Deadline limit_;
  std::shared_ptr<Socket> socket_;
  std::function<void()> work_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace fusebox::http
