// Mount `9p`: a tree of another machine over 9P2000 (tcp, udp, unix).
//
// Connects at first use. Nothing the server says is believed before it was checked against what was asked and against the
// message it came in: sizes, counts, tags, kinds.
//
// Owner    the mount keeps the connection; Files keep the mount.
// Threads  any: the mount locks itself.
// Errors   io: the server refused or lied; timedout: no answer in 10 s (the connection is given up).
// Contract containers.md 12.4
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "vfs/mount.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::vfs {

struct StyxAddress {
  enum class Kind : std::uint8_t { tcp, udp, unix_socket } kind = Kind::tcp;
  std::string host;  // of unix_socket: the path
  std::uint16_t port = 0;
  bool operator==(const StyxAddress&) const = default;
};
base::Result<StyxAddress> parse_styx_address(std::string_view options);

struct StyxOptions {
  StyxAddress address;
  std::string path;                    // where the mount stands, for inodes
  std::shared_ptr<Lookups> lookups;    // the engine's; null: names are resolved in place
  const base::Clock* clock = nullptr;  // required
  std::string beneath{};               // of unix sockets: a folder no link may lead the path out of; "" = it may
};
std::shared_ptr<Mount> make_styx_mount(StyxOptions options);

}  // namespace fusebox::vfs
