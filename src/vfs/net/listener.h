// Passive sockets: bound when they are made, before any guest runs.
//
// Threads  any.
// Contract containers.md 10.3
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "vfs/file.h"
#include "vfs/net/rate_limit.h"
#include "vfs/net/socket_mount.h"
#include "vfs/net/tls.h"

namespace fusebox::vfs {

class Listener {
 public:
  virtual ~Listener() = default;
  virtual std::unique_ptr<File> open(const Stat& node, FdFlags flags) = 0;
};

// listen+tcp, listen+tcps (`tls` is then not null), listen+udp.
base::Result<std::shared_ptr<Listener>> make_listener(const SocketAddress& address, std::shared_ptr<TlsContext> tls,
                                                      std::shared_ptr<RateLimit> limit,
                                                      std::function<void(std::string_view)> report);

}  // namespace fusebox::vfs
