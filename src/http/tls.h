// TLS over a non-blocking socket, as OpenSSL does it.
//
// The session reads and writes the descriptor itself and keeps no buffers while nothing is under way, so an idle TLS
// connection costs what OpenSSL needs and nothing of ours.
//
// Owner    a Socket owns its session; the descriptor is the socket's.
// Threads  TlsContext: any thread. TlsSession: the loop's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/freed.h"
#include "base/result.h"

struct ssl_st;
struct ssl_ctx_st;
extern "C" {
void SSL_free(ssl_st*);
void SSL_CTX_free(ssl_ctx_st*);
}

namespace fusebox::http {

class TlsSession {
 public:
  enum class Step : std::uint8_t { done, wants_read, wants_write, failed };

  TlsSession(std::unique_ptr<ssl_st, base::Freed<SSL_free>> ssl) noexcept : ssl_(std::move(ssl)) {}
  Step handshake() noexcept;
  bool peer_was_refused() const noexcept;  // a handshake failed because we do not trust the peer
  std::string why();                       // of a handshake that failed: a sentence without addresses and names

  std::ptrdiff_t receive(std::span<char> into) noexcept;  // as Socket's
  std::ptrdiff_t send(std::string_view bytes) noexcept;
  bool holds_received() const noexcept;
  void say_goodbye() noexcept;
  ssl_st* handle() noexcept { return ssl_.get(); }

 private:
  std::unique_ptr<ssl_st, base::Freed<SSL_free>> ssl_;
  bool up_ = false;  // the handshake is done and nothing has broken since
};

}  // namespace fusebox::http
