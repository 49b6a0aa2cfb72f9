#include "http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "http/tls_bio.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;

constexpr std::array<unsigned char, 9> kAlpn{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

std::string openssl_reason() {
  const unsigned long error = ERR_peek_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return reason == nullptr ? "unknown reason" : reason;
}

// A client that offers protocols but not this one is refused by the handshake.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) noexcept {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kAlpn.data(), kAlpn.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> readable_file(const std::string& file) {
  if (::access(file.c_str(), R_OK) != 0) return base::fail(Errc::not_found, file + ": " + std::strerror(errno));
  return {};
}

Result<std::shared_ptr<SSL_CTX>> server_context(const ServerTls& files) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return base::fail(Errc::exhausted, "no memory for TLS");
  set_common_tls_rules(context.get());
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  FB_CHECK(readable_file(files.cert_file));
  FB_CHECK(readable_file(files.key_file));
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.cert_file.c_str()) != 1) {
    return base::fail(Errc::invalid, files.cert_file + " holds no certificate chain in PEM: " + openssl_reason());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return base::fail(Errc::invalid,
                      files.key_file + " is not the key of " + files.cert_file + ": " + openssl_reason());
  }
  if (files.client_ca_file.empty()) return context;
  FB_CHECK(readable_file(files.client_ca_file));
  if (SSL_CTX_load_verify_locations(context.get(), files.client_ca_file.c_str(), nullptr) != 1) {
    return base::fail(Errc::invalid, files.client_ca_file + " holds no certificate in PEM: " + openssl_reason());
  }
  SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(files.client_ca_file.c_str()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // A resumed session is only good for the context that verified the client.
  constexpr std::array<unsigned char, 7> kSessions{'f', 'u', 's', 'e', 'b', 'o', 'x'};
  SSL_CTX_set_session_id_context(context.get(), kSessions.data(), kSessions.size());
  return context;
}

}  // namespace

void set_common_tls_rules(SSL_CTX* context) noexcept {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_protos(context, kAlpn.data(), kAlpn.size());  // what a client offers; a server's context ignores it
}

Result<std::shared_ptr<TlsServer>> TlsServer::load(ServerTls files) {
  std::shared_ptr<TlsServer> server(new TlsServer(std::move(files)));
  FB_CHECK(server->reload());
  return server;
}

Result<void> TlsServer::reload() {
  FB_TRY(std::shared_ptr<SSL_CTX> context, server_context(files_));
  const std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return {};
}

std::unique_ptr<TlsSession> TlsServer::accept(int fd) {
  std::unique_ptr<ssl_st, base::Freed<SSL_free>> ssl;
  {
    const std::lock_guard lock(mutex_);
    ssl.reset(SSL_new(context_.get()));  // holds the context it was made of, also after a reload
  }
  BIO* const bio = ssl ? socket_bio(fd) : nullptr;
  if (bio == nullptr) return nullptr;
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_accept_state(ssl.get());
  return std::make_unique<TlsSession>(std::move(ssl));
}

}  // namespace fusebox::http
