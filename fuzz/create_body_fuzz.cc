// Bodies of the control plane's API: reading one never crashes; a create body that is taken is kept as one that reads as
// itself, and its guest files can be made.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fleet/api/rules/requests.h"
#include "fleet/boot_files.h"

namespace {

using namespace fusebox;

void require(bool ok) {
  if (!ok) std::abort();
}

void create(std::string_view body) {
  const auto request = fleet::read_create(body, {});
  if (!request) return;
  const std::string kept = fleet::write_create(*request);
  const auto again = fleet::read_stored_create(kept);
  require(again.has_value());
  require(fleet::write_create(*again) == kept);
  require(fleet::profile_files(*request, {"token", "certificate", "key"}).size() >= 5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      (void)fleet::read_exec(body);
      break;
    case 1:
      (void)fleet::read_host(body);
      break;
    case 2:
      (void)fleet::read_heartbeat(body);
      break;
    case 3:
      (void)fleet::read_snapshot(body);
      break;
    case 4:
      (void)fleet::read_api_key(body);
      break;
    case 5:
      (void)fleet::check_computer(body);
      break;
    default:
      create(body);
  }
  return 0;
}
