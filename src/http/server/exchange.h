// One request to a server and its answer.
//
// A handler reads the body (or leaves it), then answers exactly once: whole, as a stream, or by an upgrade. A handler that
// ends without an answer sends 500. The bounds of contract control-plane.md 1.1 hold by themselves: a body that comes too
// slowly, a peer that does not take the answer.
//
// gcc 12 frees what a braced argument inside a co_await holds twice: `co_await x.respond({.status = 404})` crashes. Name
// the ServerResponse first.
//
// Owner    an Exchange lives until its handler's task ends; request() and its views as long.
// Threads  the loop of its connection.
// Errors   read: `exhausted` = larger than allowed (the connection is closed after the answer); `unavailable` = the peer
//          went or was too slow; `invalid` = broken framing. write: `unavailable`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "http/byte_stream.h"
#include "http/client.h"

namespace fusebox::http {

struct ServerRequest {
  std::string method;                       // as sent
  std::string target;                       // as sent: path and query
  std::string_view path() const noexcept;   // not decoded
  std::string_view query() const noexcept;  // without '?', not decoded
  std::vector<Header> headers;              // names in lower case, in the order sent
  // The first header of that name (lower case), or null.
  const std::string* find(std::string_view name) const noexcept;
  std::string peer;  // IP address as text, IPv4-mapped shown as IPv4
  std::uint16_t peer_port = 0;
  bool tls = false;
  bool has_body = false;                        // announced by Content-Length > 0 or by chunks
  std::optional<std::uint64_t> content_length;  // nothing for chunks
};

struct ServerResponse {
  int status = 200;
  std::vector<Header> headers{};  // beside Content-Length, Date and the server's own
  std::string body{};
  std::shared_ptr<const std::string> shared_body{};  // instead of `body`: not copied
};

// A body written piece by piece: chunks, or until the end of the connection for HTTP/1.0. A Content-Length among the
// head's headers is kept: then exactly so many bytes are written, without chunks.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  // Waits while the peer is slow; `unavailable` when it takes nothing for the stream's stall limit, or went.
  virtual base::Task<base::Result<void>> write(std::string_view bytes) = 0;
  virtual base::Task<base::Result<void>> finish() = 0;  // without it the peer sees a broken stream
  // Stop is requested when the peer went away, also while nothing is written.
  virtual std::stop_token gone() const noexcept = 0;
  // The peer may take nothing for at most this long from here on, also within a write that waits for it now.
  virtual void limit_stalls(base::Nanos longest) = 0;
};

// A stall limit for answers that wait for their reader, who may pause for a coffee or a night: something else ends them.
inline constexpr base::Nanos kReaderMayPause = std::chrono::hours{24};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const ServerRequest& request() const noexcept = 0;
  virtual base::Executor& executor() noexcept = 0;

  virtual base::Task<base::Result<std::string>> read_body(std::uint64_t bytes_max) = 0;
  // 0 = the end. `bytes_max` of the whole body is checked against what was announced and what came.
  virtual base::Task<base::Result<std::size_t>> read_body_some(std::span<char> into, std::uint64_t bytes_max) = 0;

  virtual base::Task<base::Result<void>> respond(ServerResponse response) = 0;
  // `stall_limit`: how long the peer may take nothing before the stream ends.
  virtual base::Task<base::Result<std::unique_ptr<ResponseStream>>> respond_streaming(
      ServerResponse head, base::Nanos stall_limit = std::chrono::seconds{30}) = 0;
  // Writes `head` (a whole response head with its empty line) and gives the connection away; bytes that came behind the
  // request are read first. TCP keepalive 30 s, no further deadline.
  virtual base::Task<base::Result<std::unique_ptr<ByteStream>>> upgrade(std::string head) = 0;
  virtual bool answered() const noexcept = 0;

  // Requested when the peer goes while the handler is at work (noticed only while the body was read whole).
  virtual std::stop_token gone() = 0;
};

}  // namespace fusebox::http
