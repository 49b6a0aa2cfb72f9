// /net: the sockets a container was configured with, each a file.
//
// Active sockets dial at the first use and again after the last handle was closed; listening ones are bound here. Nothing
// blocks a thread: what cannot go on adds host descriptors and deadlines to Call::waits. Names are resolved by `lookups`.
//
// Owner    the mount keeps connections; Files keep their socket.
// Threads  any: a socket locks itself. `report` may be called from any thread that uses a socket.
// Errors   making: `invalid` address or TLS material, `exists` two of one name, `io` an address that cannot be bound.
// Contract containers.md 10
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "vfs/device/device_tree.h"
#include "vfs/mount.h"
#include "vfs/net/socket_address.h"

namespace fusebox::vfs {

// Runs work that would block on a thread of somebody else's.
using Offload = std::function<void(std::unique_ptr<std::function<void()>>)>;

struct TlsOptions {
  bool verify = true;       // chain and name; of listening sockets: whether clients must show a certificate, with `ca`
  std::string ca;           // PEM file; "" = the system's trust store
  std::string certificate;  // PEM files; what listening TLS sockets must have and clients may
  std::string key;
  std::string server_name;           // instead of the address's host, for SNI and verification
  std::shared_ptr<const void> held;  // what the files are named through, where that is not the file system alone
};

struct SocketNode {
  std::string name;
  SocketAddress address;
  TlsOptions tls;
};

struct HostAddress;  // resolution.h
class Lookups;       // lookups.h

struct NetOptions {
  std::shared_ptr<Lookups> lookups;              // the engine's; null: names are resolved in place (tests, tools)
  const base::Clock* clock = nullptr;            // required
  std::uint64_t bytes_per_s = 0;                 // limits.sockBytesPerS, both directions of all sockets; 0 = none
  std::function<void(std::string_view)> report;  // one line for the engine's stderr; null = none
  // Whether an address that a name was resolved to may be connected to (`acces` when none may); null = any. Literal
  // addresses are what the configuration says and are not asked about.
  std::function<bool(const HostAddress&)> may_connect{};
};

// What the sockets of one container share; the mount and /dev/socket devices keep it.
class Net;
std::shared_ptr<Net> make_net(NetOptions options);

base::Result<std::shared_ptr<Mount>> make_socket_mount(std::shared_ptr<Net> net, std::vector<SocketNode> sockets,
                                                       std::string path = "/net");
// Driver `socket`: one socket as /dev/socket.
base::Result<Device> socket_device(std::shared_ptr<Net> net, SocketNode socket);

}  // namespace fusebox::vfs
