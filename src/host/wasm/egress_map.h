// Egress rules as what can be enforced for a module: sockets it is granted by name, each to one host and port.
//
// A WASI module connects to nothing by itself. An allow rule of one host (or one address) and single ports becomes nodes
// /net/<host>:<port>, for UDP with ".udp" behind; nothing else can be reached. Names that resolve to link-local addresses,
// to addresses of this host, or into a denied range are refused at the connect (`acces`); an address given as such by
// `cidr` is what the rule says, unless a deny rule holds it.
//
// Refused with `unsupported`, saying what: default "allow", ranges of ports or of addresses in allow rules, deny rules by
// host or port.
//
// Threads  pure functions; may_connect: any.
// Errors   `invalid`, `unsupported`.
// Contract control-plane.md 14.3
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "container/config/launch_config.h"
#include "host/api/egress.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::host {

inline constexpr std::size_t kEgressSocketsMax = 256;  // contract: rules; here also hosts times ports

struct EgressMap {
  std::vector<container::SocketConfig> sockets;
  std::uint64_t bytes_per_s = 0;  // 0 = no bound
  std::function<bool(const vfs::HostAddress&)> may_connect;
};
base::Result<EgressMap> map_egress(const Egress& egress);

// One line, for the journal; of what map_egress() takes. read(write(e)) == e.
std::string write_egress(const Egress& egress);
base::Result<Egress> read_egress(std::string_view text);

}  // namespace fusebox::host
