// What TLS connections of one kind share: certificates, authorities, rules. TLS 1.2 or newer, ALPN http/1.1 only.
//
// Threads  any; sessions are made by any thread and used by one.
// Errors   `not_found`, `invalid`: certificate files. `denied` is the session's: a peer that does not verify.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "http/async/async_client.h"
#include "http/server/server.h"
#include "http/tls.h"

namespace fusebox::http {

using TlsContextPtr = std::unique_ptr<ssl_ctx_st, base::Freed<SSL_CTX_free>>;

// Versions, modes and protocols: the same on both sides. Internal.
void set_common_tls_rules(ssl_ctx_st* context) noexcept;

class TlsServer {
 public:
  static base::Result<std::shared_ptr<TlsServer>> load(ServerTls files);
  // Reads the files again; an error leaves what was loaded in force.
  base::Result<void> reload();
  std::unique_ptr<TlsSession> accept(int fd);  // null: no memory

 private:
  explicit TlsServer(ServerTls files) : files_(std::move(files)) {}
  const ServerTls files_;
  std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;  // guarded by mutex_
};

class TlsClient {
 public:
  // Without authorities of its own: the system's, which are read here.
  static base::Result<std::unique_ptr<TlsClient>> make(const PeerTls& rules);
  ~TlsClient();
  std::unique_ptr<TlsSession> connect(int fd, const std::string& host);  // null: no memory

 private:
  TlsClient(TlsContextPtr context, bool pinned) noexcept;
  TlsContextPtr context_;
  const bool pinned_;
  std::string fingerprint_;  // of the pinned certificate, raw bytes
};

}  // namespace fusebox::http
