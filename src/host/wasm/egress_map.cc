#include "host/wasm/egress_map.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <sstream>

#include "base/text.h"
#include "vfs/net/resolution.h"
#include "vfs/net/socket_address.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;

namespace {

// 16 bytes; IPv4 as mapped, so that one comparison serves both.
using Address = std::array<std::uint8_t, 16>;
constexpr unsigned kMappedBits = 96;

Address mapped(const void* four) noexcept {
  Address address{};
  address[10] = address[11] = 0xff;
  std::memcpy(address.data() + 12, four, 4);
  return address;
}
std::optional<Address> address_of(const sockaddr* from) noexcept {
  Address address{};
  if (from->sa_family == AF_INET) return mapped(&reinterpret_cast<const sockaddr_in*>(from)->sin_addr);
  if (from->sa_family != AF_INET6) return std::nullopt;
  std::memcpy(address.data(), &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr, address.size());
  return address;
}

struct Range {
  Address address{};
  unsigned bits = 128;
  bool holds(const Address& other) const noexcept {
    for (unsigned bit = 0; bit < bits; bit += 8) {
      const unsigned left = std::min(8u, bits - bit);
      const std::uint8_t mask = static_cast<std::uint8_t>(0xff00u >> left);
      if (((address[bit / 8] ^ other[bit / 8]) & mask) != 0) return false;
    }
    return true;
  }
};

std::optional<Range> parse_range(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string host = text.substr(0, slash);
  if (host.find('\0') != std::string::npos) return std::nullopt;  // inet_pton would read up to it
  Range range;
  std::array<std::uint8_t, 16> raw{};
  unsigned most = 128;
  if (::inet_pton(AF_INET, host.c_str(), raw.data()) == 1) {
    range.address = mapped(raw.data());
    most = 32;
  } else if (::inet_pton(AF_INET6, host.c_str(), raw.data()) == 1) {
    range.address = raw;
  } else {
    return std::nullopt;
  }
  unsigned bits = most;
  if (slash != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
    if (error != std::errc() || at != end || bits > most) return std::nullopt;
  }
  range.bits = bits + (most == 32 ? kMappedBits : 0);
  return range;
}

bool is_never_meant(const Address& address) {
  static const std::array kNever{
      *parse_range("169.254.0.0/16"), *parse_range("fe80::/10"), *parse_range("127.0.0.0/8"), *parse_range("::1"),
      *parse_range("0.0.0.0/8"),      *parse_range("::"),        *parse_range("224.0.0.0/3"), *parse_range("ff00::/8")};
  return std::ranges::any_of(kNever, [&](const Range& range) { return range.holds(address); });
}

// Asked at each connect: addresses come and go.
bool is_of_this_host(const Address& address) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return true;
  bool found = false;
  for (const ifaddrs* one = all; one != nullptr && !found; one = one->ifa_next) {
    if (one->ifa_addr != nullptr) found = address_of(one->ifa_addr) == address;
  }
  ::freeifaddrs(all);
  return found;
}

std::unexpected<base::Error> cannot(std::string what) {
  return fail(Errc::unsupported, "egress: " + std::move(what) +
                                     "; a module is granted single hosts and ports (allow rules with host or a /32 or "
                                     "/128 cidr, and ports), with default \"deny\"");
}

class Mapper {
 public:
  Result<EgressMap> run(const Egress& egress) {
    if (egress.allow_by_default) return cannot("default \"allow\" cannot be given");
    for (const EgressRule& rule : egress.deny) FB_CHECK(deny(rule));
    for (const EgressRule& rule : egress.allow) FB_CHECK(allow(rule));
    map_.bytes_per_s = egress.bandwidth_kbps * 1000 / 8;
    map_.may_connect = [denied = denied_](const vfs::HostAddress& to) {
      const auto address = address_of(to.get());
      if (!address || is_never_meant(*address) || is_of_this_host(*address)) return false;
      return std::ranges::none_of(denied, [&](const Range& range) { return range.holds(*address); });
    };
    return std::move(map_);
  }

 private:
  Result<void> deny(const EgressRule& rule) {
    if (!rule.host.empty() || !rule.ports.empty() || !rule.proto.empty())
      return cannot("a deny rule names a host, ports or a protocol");
    const auto range = parse_range(rule.cidr);
    if (!range) return fail(Errc::invalid, "egress: cidr " + base::in_quotes(rule.cidr) + " is no range of addresses");
    denied_.push_back(*range);
    return {};
  }

  Result<void> allow(const EgressRule& rule) {
    if (!rule.proto.empty() && rule.proto != "tcp" && rule.proto != "udp")
      return fail(Errc::invalid, "egress: proto " + base::in_quotes(rule.proto) + " is not tcp or udp");
    if (rule.host.empty() == rule.cidr.empty()) return fail(Errc::invalid, "egress: a rule has either cidr or host");
    if (rule.ports.empty()) return cannot("an allow rule names no ports");
    std::string host = rule.host;
    if (host.empty()) {
      const auto range = parse_range(rule.cidr);
      if (!range)
        return fail(Errc::invalid, "egress: cidr " + base::in_quotes(rule.cidr) + " is no range of addresses");
      if (range->bits != 128) return cannot("cidr " + base::in_quotes(rule.cidr) + " is more than one address");
      if (std::ranges::any_of(denied_, [&](const Range& one) { return one.holds(range->address); })) return {};
      host = rule.cidr.substr(0, rule.cidr.find('/'));
    } else if (parse_range(host)) {
      return fail(Errc::invalid, "egress: " + base::in_quotes(host) + " is an address; give it as cidr");
    }
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    for (const EgressRule::Ports& ports : rule.ports) {
      if (ports.first != ports.last || ports.first == 0) return cannot("an allow rule has a range of ports");
      const std::string where = host + ":" + std::to_string(ports.first);
      if (rule.proto != "udp") FB_CHECK(add(where, "tcp://" + where));
      if (rule.proto != "tcp") FB_CHECK(add(where + ".udp", "udp://" + where));
    }
    return {};
  }

  Result<void> add(std::string name, std::string address) {
    if (name.find('/') != std::string::npos || !vfs::parse_socket_address(address))
      return fail(Errc::invalid, "egress: " + base::in_quotes(name) + " is no host and port");
    const bool known = std::ranges::any_of(map_.sockets, [&](const auto& one) { return one.name == name; });
    if (known) return {};
    if (map_.sockets.size() >= kEgressSocketsMax)
      return fail(Errc::invalid, "egress: more than " + std::to_string(kEgressSocketsMax) + " hosts and ports");
    container::SocketConfig socket;
    socket.name = std::move(name);
    socket.address = std::move(address);
    map_.sockets.push_back(std::move(socket));
    return {};
  }

  EgressMap map_;
  std::vector<Range> denied_;
};

void write_rules(std::string& text, std::string_view word, const std::vector<EgressRule>& rules) {
  for (const EgressRule& rule : rules) {
    text.append(" ").append(word).append(rule.cidr.empty() ? " host " + rule.host : " cidr " + rule.cidr);
    text.append(" ").append(rule.proto.empty() ? "any" : rule.proto).append(" ");
    for (const auto& ports : rule.ports) text += std::to_string(ports.first) + "," + std::to_string(ports.last) + ",";
    text += ";";
  }
}

}  // namespace

Result<EgressMap> map_egress(const Egress& egress) {
  return Mapper().run(egress);
}

std::string write_egress(const Egress& egress) {
  std::string text = (egress.allow_by_default ? "allow " : "deny ") + std::to_string(egress.bandwidth_kbps);
  write_rules(text, "+", egress.allow);
  write_rules(text, "-", egress.deny);
  return text;
}

Result<Egress> read_egress(std::string_view text) {
  std::istringstream words{std::string(text)};
  Egress egress;
  std::string word, kind, host, proto, ports;
  if (!(words >> word >> egress.bandwidth_kbps)) return fail(Errc::corrupt, "egress rules cannot be read");
  egress.allow_by_default = word == "allow";
  while (words >> word >> kind >> host >> proto >> ports) {
    EgressRule rule;
    (kind == "host" ? rule.host : rule.cidr) = host;
    if (proto != "any") rule.proto = proto;
    std::istringstream numbers(ports);
    EgressRule::Ports pair;
    char comma = 0;
    while (numbers >> pair.first >> comma >> pair.last >> comma) rule.ports.push_back(pair);
    (word == "+" ? egress.allow : egress.deny).push_back(std::move(rule));
  }
  return egress;
}

}  // namespace fusebox::host
