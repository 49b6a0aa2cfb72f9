#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <span>

namespace fusebox::http {
namespace {

using Family = IpAddress::Family;

struct Range {
  std::array<std::uint8_t, 16> prefix;
  int bits;
  std::string_view name;
};

// Contract capability.md 10.1, in its order.
constexpr Range kIpv4Ranges[] = {
    {{0}, 8, "this network"},
    {{10}, 8, "private"},
    {{100, 64}, 10, "shared by a provider"},
    {{127}, 8, "loopback"},
    {{169, 254}, 16, "link-local"},
    {{172, 16}, 12, "private"},
    {{192, 0, 0}, 24, "protocol assignment"},
    {{192, 0, 2}, 24, "documentation"},
    {{192, 88, 99}, 24, "6to4 relay"},
    {{192, 168}, 16, "private"},
    {{198, 18}, 15, "benchmark"},
    {{198, 51, 100}, 24, "documentation"},
    {{203, 0, 113}, 24, "documentation"},
    {{224}, 4, "multicast"},
    {{240}, 4, "reserved"},
};

constexpr Range kIpv6Ranges[] = {
    // The contract lists :: and ::1. The rest of ::/96 is the retired IPv4-compatible form, which also hides an IPv4
    // address.
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    {{0}, 96, "unspecified or IPv4-compatible"},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "local NAT64"},
    {{0x01, 0x00}, 64, "discard"},
    {{0x20, 0x01, 0x00}, 23, "protocol assignment"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    {{0xfc}, 7, "unique local"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xfe, 0xc0}, 10, "site-local"},
    {{0xff}, 8, "multicast"},
};

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<std::uint8_t, 12> kNat64Prefix = {0x00, 0x64, 0xff, 0x9b};
constexpr std::array<std::uint8_t, 4> kMetadataIpv4 = {169, 254, 169, 254};
constexpr std::array<std::uint8_t, 16> kMetadataIpv6 = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0,    0,
                                                        0,    0,    0,    0,    0, 0, 0x02, 0x54};

bool lies_in(const IpAddress& address, const Range& range) noexcept {
  const int whole = range.bits / 8;
  if (!std::equal(range.prefix.begin(), range.prefix.begin() + whole, address.bytes.begin())) return false;
  const int rest = range.bits % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xff00u >> rest;
  const auto at = static_cast<std::size_t>(whole);
  return ((range.prefix[at] ^ address.bytes[at]) & mask & 0xffu) == 0;
}

std::string_view range_of(const IpAddress& address, std::span<const Range> ranges) noexcept {
  const auto found = std::ranges::find_if(ranges, [&](const Range& range) { return lies_in(address, range); });
  return found == ranges.end() ? std::string_view{} : found->name;
}

IpAddress ipv4_at(const IpAddress& address, std::size_t offset) noexcept {
  IpAddress inner;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(offset), 4, inner.bytes.begin());
  return inner;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  IpAddress address;
  // inet_pton takes four decimals alone: no octal, no hexadecimal, no short forms.
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address;
  address.family = Family::v6;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(family == Family::v4 ? AF_INET : AF_INET6, bytes.data(), out.data(), out.size());
  return out.data();
}

std::optional<IpAddress> embedded_ipv4(const IpAddress& address) noexcept {
  if (address.family == Family::v4) return std::nullopt;
  const auto starts_with = [&](const auto& prefix) {
    return std::ranges::equal(prefix, std::span(address.bytes).first(prefix.size()));
  };
  if (starts_with(kMappedPrefix) || starts_with(kNat64Prefix)) return ipv4_at(address, 12);
  if (address.bytes[0] == 0x20 && address.bytes[1] == 0x02) return ipv4_at(address, 2);
  return std::nullopt;
}

std::string_view non_public_range(const IpAddress& address) noexcept {
  if (const auto inner = embedded_ipv4(address)) return non_public_range(*inner);
  if (address.family == Family::v4) return range_of(address, kIpv4Ranges);
  return range_of(address, kIpv6Ranges);
}

std::string_view metadata_literal(const IpAddress& address) noexcept {
  if (const auto inner = embedded_ipv4(address)) return metadata_literal(*inner);
  if (address.family == Family::v4)
    return std::ranges::equal(kMetadataIpv4, std::span(address.bytes).first(4)) ? "169.254.169.254"
                                                                                : std::string_view{};
  return address.bytes == kMetadataIpv6 ? "fd00:ec2::254" : std::string_view{};
}

}  // namespace fusebox::http
