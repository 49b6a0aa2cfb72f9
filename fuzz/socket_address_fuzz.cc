// Socket addresses and 9p addresses of launch configurations: what is read is written in one spelling that reads as itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vfs/net/socket_address.h"
#include "vfs/styx/styx_mount.h"

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fusebox::vfs;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto address = parse_socket_address(text)) {
    require(!address->host.empty() && (address->kind == SocketKind::serial) == (address->port == 0));
    require(address->host.find('\0') == std::string::npos);
    if (address->kind != SocketKind::serial) require(address->host.size() <= kSocketHostBytesMax);
    const auto again = parse_socket_address(to_string(*address));
    require(again.has_value() && *again == *address);
  }
  if (const auto address = parse_styx_address(text)) require(!address->host.empty());
  return 0;
}
