#include "vfs/net/socket_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace fusebox::vfs {
namespace {

struct Scheme {
  std::string_view name;
  SocketKind kind;
};
constexpr std::array<Scheme, 8> kSchemes = {{{"tcp", SocketKind::tcp},
                                             {"tcps", SocketKind::tcps},
                                             {"udp", SocketKind::udp},
                                             {"udps", SocketKind::udps},
                                             {"serial", SocketKind::serial},
                                             {"listen+tcp", SocketKind::listen_tcp},
                                             {"listen+tcps", SocketKind::listen_tcps},
                                             {"listen+udp", SocketKind::listen_udp}}};

base::Result<SocketAddress> refuse(std::string_view text, std::string_view why) {
  return base::fail(base::Errc::invalid, "socket address " + base::in_quotes(text) + ": " + std::string(why));
}

// inet_pton reads up to a NUL: what lies behind one would be part of the host's name all the same.
bool is_ipv6(const std::string& text) noexcept {
  in6_addr parsed;
  return text.find('\0') == std::string::npos && ::inet_pton(AF_INET6, text.c_str(), &parsed) == 1;
}

// What no host name has: white space and control characters, and what separates the parts of addresses.
bool sound_host(std::string_view host) noexcept {
  return std::ranges::all_of(host, [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("/\\@:[]?#%").find(c) == std::string_view::npos;
  });
}

bool parse_port(std::string_view text, std::uint16_t& port) noexcept {
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && port != 0;
}

}  // namespace

base::Result<SocketAddress> parse_socket_address(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return refuse(text, "no scheme; write <scheme>://<host>:<port>");
  const auto scheme = std::ranges::find(kSchemes, text.substr(0, colon), &Scheme::name);
  if (scheme == kSchemes.end()) {
    return refuse(text, "unknown scheme; known are tcp, tcps, udp, udps, serial, listen+tcp, listen+tcps, listen+udp");
  }
  SocketAddress address{.kind = scheme->kind, .host = {}, .port = 0};
  std::string_view rest = text.substr(colon + 3);
  if (address.kind == SocketKind::serial) {
    if (rest.empty()) return refuse(text, "no device path");
    if (rest.find('\0') != std::string_view::npos) return refuse(text, "NUL in the device path");
    address.host = rest;
    return address;
  }
  const std::size_t last = rest.rfind(':');
  if (last == std::string_view::npos || rest.ends_with(']')) return refuse(text, "no port after the host");
  if (!parse_port(rest.substr(last + 1), address.port)) return refuse(text, "the port is not 1..65535");
  rest = rest.substr(0, last);
  if (rest.empty()) return refuse(text, "no host");
  if (rest.front() == '[') {
    address.host = rest.substr(1, rest.size() - 1 - (rest.back() == ']'));
    if (rest.back() != ']' || !is_ipv6(address.host)) return refuse(text, "no IPv6 address between the brackets");
    return address;
  }
  if (rest.find(':') != std::string_view::npos) return refuse(text, "an IPv6 address stands in brackets");
  if (rest.size() > kSocketHostBytesMax) return refuse(text, "the host is longer than 253 bytes");
  if (!sound_host(rest)) return refuse(text, "the host holds a character no host name has");
  address.host = rest;
  return address;
}

std::string to_string(const SocketAddress& address) {
  const auto scheme = std::ranges::find(kSchemes, address.kind, &Scheme::kind);
  const std::string start = std::string(scheme->name) + "://";
  if (address.kind == SocketKind::serial) return start + address.host;
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return start + (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace fusebox::vfs
