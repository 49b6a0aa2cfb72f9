#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <climits>

#include "http/socket.h"

namespace fusebox::http {
namespace {

int bounded(std::size_t bytes) noexcept {
  return static_cast<int>(std::min<std::size_t>(bytes, INT_MAX));
}

}  // namespace

TlsSession::Step TlsSession::handshake() noexcept {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    up_ = true;
    return Step::done;
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Step::wants_write;
    default:
      return Step::failed;
  }
}

bool TlsSession::peer_was_refused() const noexcept {
  return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

std::string TlsSession::why() {
  const long verified = SSL_get_verify_result(ssl_.get());
  if (peer_was_refused() && verified != X509_V_OK) {
    ERR_clear_error();
    return X509_verify_cert_error_string(verified);
  }
  const unsigned long error = ERR_peek_last_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return reason == nullptr ? "the peer ended the handshake" : reason;
}

std::ptrdiff_t TlsSession::receive(std::span<char> into) noexcept {
  if (into.empty()) return 0;
  ERR_clear_error();
  const int got = SSL_read(ssl_.get(), into.data(), bounded(into.size()));
  if (got > 0) return got;
  switch (SSL_get_error(ssl_.get(), got)) {
    case SSL_ERROR_WANT_READ:
      return Socket::kAgain;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      // Also a peer that wants us to write before it sends (it asks for new keys and takes none): nobody needs that.
      // And one that closed without saying so: what came may have been cut.
      up_ = false;
      return Socket::kBroken;
  }
}

std::ptrdiff_t TlsSession::send(std::string_view bytes) noexcept {
  if (bytes.empty()) return 0;
  ERR_clear_error();
  const int sent = SSL_write(ssl_.get(), bytes.data(), bounded(bytes.size()));
  if (sent > 0) return sent;
  if (SSL_get_error(ssl_.get(), sent) == SSL_ERROR_WANT_WRITE) return Socket::kAgain;
  up_ = false;
  return Socket::kBroken;
}

bool TlsSession::holds_received() const noexcept {
  return SSL_pending(ssl_.get()) > 0;
}

void TlsSession::say_goodbye() noexcept {
  if (!up_) return;
  up_ = false;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // our half only: nobody waits for the peer's
}

}  // namespace fusebox::http
