#include "container/config/profile.h"

#include <algorithm>
#include <array>

namespace fusebox::container {
namespace {

constexpr std::uint32_t kConfigBytesSmall = 2047;   // contract 5.2
constexpr std::uint32_t kConfigBytesLarge = 65535;  // the same, profiles `small` and `big`

constexpr ProfileValues row(std::string_view name, std::uint32_t wapps, std::uint32_t stack, std::uint32_t heap,
                            std::uint32_t worker, std::uint32_t pages, std::uint32_t path, std::uint32_t drivers,
                            std::uint32_t options, std::uint32_t config_bytes = kConfigBytesSmall) noexcept {
  ProfileValues values;
  values.name = name;
  values.max_wapps = wapps;
  values.wasm_stack_bytes = stack;
  values.wasm_heap_bytes = heap;
  values.worker_stack_bytes = worker;
  values.max_pages = pages;
  values.max_path_bytes = path;
  values.max_drivers = drivers;
  values.max_options_bytes = options;
  values.config_bytes_max = config_bytes;
  return values;
}

constexpr std::array kProfiles = {
    row("tiny", 2, 4096, 4096, 16384, 1, 128, 4, 64),
    row("constrained", 3, 8192, 8192, 65536, 1, 256, 6, 128),
    row("small", 16, 65536, 262144, 65536, 16, 512, 8, 256, kConfigBytesLarge),
    row("big", 64, 131072, 1048576, 131072, 0, 4096, 16, 1024, kConfigBytesLarge),
    row("esp32-nuttx", 3, 8192, 8192, 24576, 1, 256, 6, 128),
    row("xiao_esp32s3", 20, 65536, 0, 65536, 2, 256, 6, 128),
    row("xiao_esp32s3-storage", 10, 65536, 0, 65536, 2, 256, 6, 128),
};

}  // namespace

const ProfileValues* find_profile(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kProfiles, name, &ProfileValues::name);
  return found != kProfiles.end() ? found : nullptr;
}

}  // namespace fusebox::container
