// Which addresses may call, and whose address a forwarded request really has.
//
// An IPv6 address that maps an IPv4 one (::ffff:a.b.c.d) is treated as that one, on both sides.
//
// Threads  immutable; any thread.
// Contract control-plane.md 2.5
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/address.h"

namespace fusebox::fleet {

struct Cidr {
  http::IpAddress network;
  std::uint8_t bits = 0;
  // `10.0.0.0/8`, `fd00::/8`. Bits beyond the prefix may be set and are cleared. A bare address is refused.
  static std::optional<Cidr> parse(std::string_view text);
  bool contains(const http::IpAddress& address) const noexcept;
  bool operator==(const Cidr&) const = default;
};

class CidrList {
 public:
  // A comma list; white space around entries is trimmed, empty entries are skipped. invalid: names the entry.
  static base::Result<CidrList> parse(std::string_view text);
  bool empty() const noexcept { return blocks_.empty(); }
  bool contains(const http::IpAddress& address) const noexcept;

 private:
  std::vector<Cidr> blocks_;
};

// ::ffff:a.b.c.d as a.b.c.d; every other address as it is.
http::IpAddress unmapped(const http::IpAddress& address) noexcept;
bool is_loopback(const http::IpAddress& address) noexcept;

// The address a request counts as: the peer's, or, when the peer is a trusted proxy, the right-most entry of
// X-Forwarded-For that is none. An entry that is no address ends the walk: what stands left of it proves nothing, and the
// last trusted address counts. `forwarded_for` holds all header lines, joined by commas in their order.
http::IpAddress effective_address(const http::IpAddress& peer, std::string_view forwarded_for,
                                  const CidrList& trusted) noexcept;

}  // namespace fusebox::fleet
