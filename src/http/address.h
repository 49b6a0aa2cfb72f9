// IP addresses and the question that protects the host's own network: may a guest reach this one?
//
// Contract capability.md 10.1. An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by the
// carried one, because that is where its packets go.
// Threads  plain values, pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fusebox::http {

// An IPv4 address uses the first four bytes; the others are 0.
struct IpAddress {
  enum class Family : std::uint8_t { v4, v6 };
  Family family = Family::v4;
  std::array<std::uint8_t, 16> bytes{};  // network order

  // Four decimal numbers, or IPv6 without brackets and zone. Empty for anything else.
  static std::optional<IpAddress> parse(std::string_view text);
  std::string text() const;  // the shortest form, as parse() reads it
  bool operator==(const IpAddress&) const = default;
};

// The IPv4 address inside ::ffff:0:0/96, 64:ff9b::/96 and 2002::/16.
std::optional<IpAddress> embedded_ipv4(const IpAddress& address) noexcept;

// The name of the non-public range the address lies in ("loopback", "private", ...); empty for a public address.
std::string_view non_public_range(const IpAddress& address) noexcept;
inline bool is_public(const IpAddress& address) noexcept {
  return non_public_range(address).empty();
}

// The metadata service that a cloud shows at this address, as the literal a rule must name to allow it; empty for all
// other addresses.
std::string_view metadata_literal(const IpAddress& address) noexcept;

}  // namespace fusebox::http
