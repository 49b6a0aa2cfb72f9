// TLS and DTLS over OpenSSL: what a socket was configured to trust and to show, and links that use it.
//
// Owner    TlsContext is shared by the links made with it.
// Threads  TlsContext: any. Links: as Link.
// Errors   create(): `invalid`, naming the file and what is wrong with it.
// Contract containers.md 10.2 (tcps, udps), 4 (system.tls)
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "vfs/net/link.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::vfs {

class TlsContext {
 public:
  enum class Role : std::uint8_t { client, datagram_client, server };
  static base::Result<std::shared_ptr<TlsContext>> create(const TlsOptions& options, Role role);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // On a connected descriptor; handshake() comes next. `host`: who must be at the other end, for clients. `report` hears
  // why a handshake failed. Null without memory.
  std::unique_ptr<Link> make_link(base::Fd fd, const std::string& host, std::function<void(std::string_view)> report);

 private:
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::vfs
