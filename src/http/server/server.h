// An HTTP/1.1 server: keep-alive, pipelining, chunks, TLS, upgrades, graceful drain; every phase has a bound.
//
// The first loop accepts and gives each connection to the loop that has the fewest; there it stays, so it lives on one
// thread and takes no lock. (One socket for each loop, by SO_REUSEPORT, was refused: the kernel spreads few connections
// badly, and two processes could take the same address without noticing.) Smuggling is refused, not repaired: both lengths at once, a length twice, bare CR or LF, spaces before a colon,
// obsolete folding, unknown transfer codings: 400 and the connection is closed.
//
// Owner    loops outlive the server. Destruction closes every connection at once and gives handlers 2 s to end; drain()
//          first is the polite way. Destroyed after its loops stopped, it destroys handlers where they wait: such a loop
//          must not run again.
// Threads  listen(), drain(), reload_tls(), port(): any one thread. The handler runs on the loops.
// Errors   listen: `unavailable` the address is in use, `denied` no right, `invalid` not an address, `not_found`/`invalid`
//          certificate files.
// Contract control-plane.md 1.1
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/loop.h"
#include "http/server/exchange.h"

namespace fusebox::http {

struct ServerTls {
  std::string cert_file;  // PEM chain; read again by reload_tls()
  std::string key_file;
  std::string client_ca_file;  // set: clients must show a certificate of these authorities
};

struct ServerOptions {
  std::string listen = ":8080";  // "host:port", ":port" (all interfaces, both families), "[::1]:0"
  std::chrono::nanoseconds header_limit{std::chrono::seconds{5}};  // from the first byte to the empty line
  std::chrono::nanoseconds idle_limit{std::chrono::seconds{120}};
  std::chrono::nanoseconds body_limit{std::chrono::seconds{15}};   // from the first wait to the last byte of a body
  std::chrono::nanoseconds write_limit{std::chrono::seconds{60}};  // without progress, for whole answers
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t connections_max = 16'384;  // of all loops; beyond, new ones wait in the backlog
  std::optional<ServerTls> tls{};
  std::string server_name{};  // value of the Server header, "" = none; `Server` of a response wins
  // A non-200 answer the server makes itself (400, 408, 413, 431, 500, 503): its body, e.g. as the API's error envelope.
  std::function<ServerResponse(int status, std::string_view what)> error_response{};
};

using Handler = std::function<base::Task<void>(Exchange&)>;

class Server {
 public:
  static base::Result<std::unique_ptr<Server>> listen(std::span<Loop* const> loops, ServerOptions options,
                                                      Handler handler);
  virtual ~Server() = default;
  virtual std::uint16_t port() const noexcept = 0;
  // New handshakes use the files' present content; an error leaves the old ones in force.
  virtual base::Result<void> reload_tls() = 0;
  // Accepts no more, lets requests under way end, closes idle connections. True when all ended within the time; streams
  // and upgrades are the handlers' to end. Blocks: not for a loop's thread.
  virtual bool drain(std::chrono::nanoseconds limit) = 0;
  virtual std::size_t connections() const noexcept = 0;
};

}  // namespace fusebox::http
