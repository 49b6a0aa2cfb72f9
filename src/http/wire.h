// A connection with what is buffered on both sides and the bounds of waiting: what server and client build on.
//
// Owner    a Wire holds its socket until release(); close() ends waits under way.
// Threads  the loop's.
// Errors   `unavailable`: the peer went, took nothing for the stall limit, or a bound of reading passed (expired()).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/task.h"
#include "http/deadline.h"
#include "http/read_buffer.h"
#include "http/socket.h"

namespace fusebox::http {

class Wire {
 public:
  explicit Wire(std::shared_ptr<Socket> socket);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { close(); }

  ReadBuffer in;
  std::string out;  // to be sent before anything else

  Socket& socket() noexcept { return *socket_; }
  const std::shared_ptr<Socket>& shared_socket() const noexcept { return socket_; }
  bool is_open() const noexcept { return socket_ != nullptr && socket_->is_open(); }
  void close() noexcept;
  std::shared_ptr<Socket> release() noexcept;  // with no bound left

  // How long reading may still take; passing it ends the wait and makes expired() true.
  Deadline& read_bound() noexcept { return read_bound_; }
  bool expired() const noexcept { return expired_; }

  // More bytes into `in`, which holds at most `bytes_max`. False: the end, broken, or expired.
  base::Task<bool> fill(std::size_t bytes_max);
  bool broke() const noexcept { return broke_; }  // the last reading ended by a failure, not by the peer's orderly end
  // As Socket's, but remembers whether the socket is likely empty, so that fill() waits at once.
  std::ptrdiff_t receive(std::span<char> into) noexcept;

  bool push_out() noexcept;  // sends of `out` what goes without waiting; false: broken
  base::Task<base::Result<void>> send_all(std::string_view first, std::string_view second, std::string_view third,
                                          base::Nanos stall_limit);
  base::Task<base::Result<void>> flush(base::Nanos stall_limit, std::string_view behind = {});
  // No wait for the peer lasts longer than this from here on, nor does one that is under way, whatever its own limit.
  void limit_stalls(base::Nanos longest);

 private:
  std::shared_ptr<Socket> socket_;
  Deadline read_bound_;
  Deadline write_bound_;
  base::Nanos longest_stall_ = base::Nanos::max();
  bool stalled_ = false;
  bool expired_ = false;
  bool drained_ = false;
  bool broke_ = false;
};

}  // namespace fusebox::http
