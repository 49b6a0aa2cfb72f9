// CIDR lists and X-Forwarded-For: reading them never crashes; the address that counts is the peer's or one the header
// names, and a peer nobody trusts is never replaced.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleet/access/cidr.h"

namespace {

using namespace fusebox;

void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Three lines: the peer, the trusted blocks, the header.
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto line = [&] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return text;
  };
  const auto peer = http::IpAddress::parse(line());
  const auto trusted = fleet::CidrList::parse(line());
  if (!peer || !trusted) return 0;
  const http::IpAddress address = fleet::effective_address(*peer, rest, *trusted);
  require(http::IpAddress::parse(address.text()) == address);
  require(fleet::unmapped(address) == address);
  if (!trusted->contains(*peer)) require(address == fleet::unmapped(*peer));
  return 0;
}
