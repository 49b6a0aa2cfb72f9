// Named sets of ceilings (contract containers.md 16.4), and the engine-wide limits that may lower or widen them.
//
// Threads  plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fusebox::container {

struct ProfileValues {
  std::string_view name;
  std::uint32_t max_wapps = 0;
  std::uint32_t wasm_stack_bytes = 0;
  std::uint32_t wasm_heap_bytes = 0;
  std::uint32_t worker_stack_bytes = 0;
  std::uint32_t max_pages = 0;  // 0 = uncapped
  std::uint32_t max_path_bytes = 0;
  std::uint32_t max_drivers = 0;
  std::uint32_t max_options_bytes = 0;
  std::uint32_t config_bytes_max = 2047;  // 65535 in `small` and `big`
  // Engine-wide ceilings: system.limits (section 4).
  std::uint32_t name_bytes = 14;
  std::uint32_t pipes = 8;
  std::uint32_t pipe_bytes = 4096;
  std::uint32_t log_bytes = 2048;
  std::uint32_t layers_max = 128;
  std::uint64_t image_bytes_max = 1ull << 30;
};

inline constexpr std::string_view kProfileDefault = "constrained";
// Null when there is none of that name.
const ProfileValues* find_profile(std::string_view name) noexcept;

}  // namespace fusebox::container
