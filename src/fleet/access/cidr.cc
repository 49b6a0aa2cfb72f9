#include "fleet/access/cidr.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace fusebox::fleet {
namespace {

using http::IpAddress;
using Family = IpAddress::Family;

constexpr std::size_t kBlocksMax = 4096;  // looked through for each request
constexpr std::size_t kMappedBytes = 12;

unsigned width(const IpAddress& address) noexcept {
  return address.family == Family::v4 ? 32 : 128;
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

void clear_from(IpAddress& address, unsigned bits) noexcept {
  for (unsigned i = bits; i < width(address); ++i) {
    address.bytes[i / 8] &= static_cast<std::uint8_t>(~(0x80u >> i % 8));
  }
}

bool is_mapped(const IpAddress& address) noexcept {
  return address.family == Family::v6 &&
         std::all_of(address.bytes.begin(), address.bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
         address.bytes[10] == 0xff && address.bytes[11] == 0xff;
}

// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`: all that proxies write.
std::optional<IpAddress> forwarded(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    return IpAddress::parse(text.substr(1, end - 1));
  }
  if (std::ranges::count(text, ':') == 1) text = text.substr(0, text.find(':'));
  return IpAddress::parse(text);
}

}  // namespace

IpAddress unmapped(const IpAddress& address) noexcept {
  if (!is_mapped(address)) return address;
  IpAddress inner;
  std::copy_n(address.bytes.begin() + kMappedBytes, 4, inner.bytes.begin());
  return inner;
}

bool is_loopback(const IpAddress& address) noexcept {
  return http::non_public_range(unmapped(address)) == "loopback";
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<IpAddress> address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const bool plain = !digits.empty() && digits.size() <= 3 && failure == std::errc{} &&
                     end == digits.data() + digits.size() && (digits.size() == 1 || digits[0] != '0');
  if (!address || !plain || bits > width(*address)) return std::nullopt;
  Cidr block{*address, static_cast<std::uint8_t>(bits)};
  if (is_mapped(block.network) && bits >= 8 * kMappedBytes) {
    block = {unmapped(block.network), static_cast<std::uint8_t>(bits - 8 * kMappedBytes)};
  }
  clear_from(block.network, block.bits);
  return block;
}

bool Cidr::contains(const IpAddress& address) const noexcept {
  IpAddress masked = unmapped(address);
  if (masked.family != network.family) return false;
  clear_from(masked, bits);
  return masked == network;
}

base::Result<CidrList> CidrList::parse(std::string_view text) {
  CidrList list;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view entry = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (entry.empty()) continue;
    const std::optional<Cidr> block = Cidr::parse(entry);
    if (!block) return base::fail(base::Errc::invalid, "invalid CIDR " + base::in_quotes(entry));
    if (list.blocks_.size() == kBlocksMax) return base::fail(base::Errc::invalid, "more than 4096 CIDR blocks");
    list.blocks_.push_back(*block);
  }
  return list;
}

bool CidrList::contains(const IpAddress& address) const noexcept {
  return std::ranges::any_of(blocks_, [&](const Cidr& block) { return block.contains(address); });
}

IpAddress effective_address(const IpAddress& peer, std::string_view forwarded_for, const CidrList& trusted) noexcept {
  IpAddress address = unmapped(peer);
  while (!forwarded_for.empty() && trusted.contains(address)) {
    const std::size_t comma = forwarded_for.rfind(',');
    const std::size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    const std::optional<IpAddress> entry = forwarded(trimmed(forwarded_for.substr(begin)));
    if (!entry) break;
    address = unmapped(*entry);
    forwarded_for = forwarded_for.substr(0, begin == 0 ? 0 : comma);
  }
  return address;
}

}  // namespace fusebox::fleet
