// One HTTP request to one server at addresses that were checked before: no redirects, no proxies, no cookies, no
// surprises.
//
// Contract capability.md section 10. The connection goes to one of the given addresses and nowhere else, while
// certificate and Host use the name. Everything that arrives is bounded; compression is never asked for; TLS is always
// verified. Connections are kept and used again only for the same scheme, name, port and addresses.
//
// Owner    A Client owns its idle connections.
// Threads  any thread; each call uses a connection of its own.
// Errors   `exhausted` "TOO_LARGE": a bound of the response was met. `stopped` "TIMEOUT" or "CANCELLED". `unavailable`
//          "NETWORK": connection, protocol or TLS failure. `unsupported` "NETWORK": no usable libcurl on this machine.
//          `invalid`: a request no caller should have let through. Messages hold no address and no header value, so
//          that they may be shown to a guest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/address.h"
#include "http/resolver.h"

namespace fusebox::http {

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

// Where a request goes, in normalised form: the caller's rules were applied to exactly these texts.
struct Target {
  std::string scheme;  // "https", "http"
  std::string host;    // lower case; IPv6 without brackets
  std::uint16_t port = 0;
  std::string path_and_query;  // starts with '/'; sent as it is
};

// A request body that is not in memory. `read` fills at most the span and says how much; 0 only after `bytes`.
struct BodySource {
  std::uint64_t bytes = 0;
  std::function<base::Result<std::size_t>(std::span<char>)> read;
};

struct Response;
// Takes a response body piece by piece; `head` is the response without it. An error ends the exchange and is what send()
// returns.
using BodySink = std::function<base::Result<void>(const Response& head, std::string_view piece)>;

struct Request {
  std::string method = "GET";  // upper case
  Target target;
  std::vector<Header> headers;           // beside Host, Content-Length, Accept and User-Agent
  std::string_view body;                 // outlives the call
  const BodySource* source = nullptr;    // instead of `body`; outlives the call
  std::span<const IpAddress> addresses;  // checked; tried in turn; the first kPinnedAddressesMax count
  base::Nanos time_limit{0};             // for all of it, from connecting to the last byte
  base::Nanos stall_limit{0};            // the longest time without progress; 0 = only time_limit counts
  std::uint64_t body_bytes_max = 0;
  BodySink sink;  // gets the bodies of responses 200 to 299, which then stay out of Response::body
  // A redirect (is_redirect) with a Location ends at its headers: the body is not read and the connection is closed.
  bool drop_redirect_body = false;
  StopCheck stop;
};

struct Response {
  int status = 0;
  std::vector<Header> headers;  // names in lower case; values in valid UTF-8 (other bytes are read as ISO 8859-1)
  std::string body;
  // The first header of that name (lower case), or null.
  const std::string* find(std::string_view name) const noexcept;
};

// Whether a response with this status and a Location asks for another request.
constexpr bool is_redirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

struct ClientOptions {
  // PEM file of the authorities to trust instead of the system's: for tests with a certificate of their own. There is
  // no way to turn verification off.
  std::string ca_file;
};

class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  base::Result<Response> send(const Request& request);

 private:
  class Line;
  base::Result<std::unique_ptr<Line>> take_line(const std::string& key);
  void keep_line(std::unique_ptr<Line> line);

  const ClientOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Line>> idle_;  // guarded by mutex_; oldest first
};

}  // namespace fusebox::http
