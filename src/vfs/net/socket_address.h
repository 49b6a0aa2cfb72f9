// The address of a configured socket, as texts say it: "tcps://host:443", "serial:///dev/ttyS1", "listen+udp://[::]:53".
//
// Threads  pure functions.
// Errors   `invalid`, saying what is wrong with the address.
// Contract containers.md 6
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::vfs {

inline constexpr std::size_t kSocketHostBytesMax = 253;  // a DNS name's longest text

enum class SocketKind : std::uint8_t { tcp, tcps, udp, udps, serial, listen_tcp, listen_tcps, listen_udp };

struct SocketAddress {
  SocketKind kind = SocketKind::tcp;
  std::string host;  // without brackets; of serial: the device's path
  std::uint16_t port = 0;

  bool listens() const noexcept { return kind >= SocketKind::listen_tcp; }
  bool datagram() const noexcept {
    return kind == SocketKind::udp || kind == SocketKind::udps || kind == SocketKind::listen_udp;
  }
  bool tls() const noexcept {
    return kind == SocketKind::tcps || kind == SocketKind::udps || kind == SocketKind::listen_tcps;
  }
  bool operator==(const SocketAddress&) const = default;
};

base::Result<SocketAddress> parse_socket_address(std::string_view text);
std::string to_string(const SocketAddress& address);  // parse(to_string(a)) == a

}  // namespace fusebox::vfs
