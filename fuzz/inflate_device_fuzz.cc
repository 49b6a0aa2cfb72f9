// The gzip members a guest writes to /dev/inflate: any bytes in any chunking decode or are refused, with the promises of
// contract containers.md 8.3 kept: a short write or AGAIN means there is something to read, and reading comes to an end.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "vfs/device/devices.h"
#include "vfs/text/file_test_support.h"

namespace {

using namespace fusebox::vfs;
using fusebox::vfs::testing::Guest;

void require(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // Two bytes choose the chunking of writes and reads.
  const std::size_t write_size = 1 + data[0] * 17u, read_size = 1 + data[1] * 33u;
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  Guest guest;
  const auto mount = make_device_mount("/dev/inflate", inflate_device());
  const auto file = std::move(*guest.open(*mount, ""));
  std::size_t out = 0;
  for (std::size_t at = 0; at < input.size() && out < (1u << 20);) {
    const auto wrote = guest.write(*file, input.substr(at, write_size));
    if (wrote) {
      require(*wrote > 0 && *wrote <= write_size);
      at += *wrote;
      continue;
    }
    if (wrote.error() != Errno::again) break;
    const auto read = guest.read(*file, read_size);
    require(read.has_value() && !read->empty() && read->size() <= read_size);
    out += read->size();
  }
  while (out < (1u << 20)) {
    const bool ready = file->poll(guest.fresh(), false).ready;
    const auto read = guest.read(*file, read_size);
    require(ready == (read.has_value() || read.error() != Errno::again));
    if (!read || read->empty()) break;
    out += read->size();
  }
  return 0;
}
