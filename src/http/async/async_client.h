// An HTTP/1.1 client for tasks: pooled connections, deadlines, TLS that always verifies, proxies, streams and upgrades.
//
// No redirects are followed. A connection is used again only for the same origin; one that broke before any byte of an
// answer came, on a connection that had been idle, is tried once more on a fresh one if the request may be repeated.
//
// Owner    the loop outlives the client; the client outlives its calls.
// Threads  the loop's.
// Errors   as base::Error with a SendFailure as detail: `unavailable` for transport (see SendFailure::sent), `stopped` for
//          the deadline, `exhausted` for a reply larger than allowed, `denied` for a certificate that does not verify or
//          is not the pinned one, `invalid` for a URL nobody can use. Messages hold no header value.
#pragma once

#include <chrono>
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
#include "http/loop.h"

namespace fusebox::http {

struct SendFailure : base::ErrorDetail {
  bool sent = false;     // some byte of the request may have reached the server
  bool refused = false;  // the connection was refused
};

struct PeerTls {
  std::string ca_pem{};              // authorities instead of the system's
  std::string fingerprint_sha256{};  // hex; set: exactly this certificate, its names and dates do not matter
  std::string client_cert_pem{};
  std::string client_key_pem{};
};

struct Proxies {  // of HTTP_PROXY, HTTPS_PROXY, NO_PROXY; "" = none
  std::string http{}, https{}, none{};
};

struct AsyncClientOptions {
  PeerTls tls{};
  Proxies proxies{};
  std::chrono::nanoseconds connect_limit{std::chrono::seconds{10}};
  std::chrono::nanoseconds tls_limit{std::chrono::seconds{10}};
  std::chrono::nanoseconds idle_limit{std::chrono::seconds{30}};
  std::size_t idle_max = 64;
  std::string user_agent = "fusebox";
};

struct AsyncRequest {
  std::string method = "GET";
  std::string url;  // http:// or https:// with host; path prefix, query allowed
  std::vector<Header> headers;
  std::string body;
  bool send_length = false;                                  // Content-Length: 0 also without a body
  std::chrono::nanoseconds limit{std::chrono::seconds{60}};  // for all of it; for streams: until the head
  std::uint64_t body_bytes_max = 64u << 20;
  bool repeatable = false;  // GET, HEAD, PUT, DELETE are by themselves
  std::stop_token stop;     // ends the call with `stopped`
};

struct AsyncReply {
  int status = 0;
  std::vector<Header> headers;  // names in lower case
  std::string body;
  const std::string* find(std::string_view name) const noexcept;
};

// A reply whose body is read as it comes.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  virtual const AsyncReply& head() const noexcept = 0;                                // its body is empty
  virtual base::Task<base::Result<std::size_t>> read_some(std::span<char> into) = 0;  // 0 = the end
};

struct Upgraded {
  AsyncReply head;  // 101 with the stream; any other status with its body and no stream
  std::unique_ptr<ByteStream> stream;
};

class AsyncClient {
 public:
  AsyncClient(Loop& loop, AsyncClientOptions options);
  ~AsyncClient();
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  base::Task<base::Result<AsyncReply>> send(AsyncRequest request);
  base::Task<base::Result<std::unique_ptr<ReplyStream>>> open(AsyncRequest request);
  base::Task<base::Result<Upgraded>> upgrade(AsyncRequest request, std::string protocol);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::http
