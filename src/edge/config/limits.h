// Bounds of configuration files: one line of reason per number. The ranges of single keys are in keys.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::edge::config {

inline constexpr std::size_t kConfigBytesMax = 1u << 20;  // eight modules and 32 events are under 8 KiB, comments aside
inline constexpr std::uint32_t kConfigModulesMax = 8;     // contract edge.md 7.1
inline constexpr std::size_t kConfigEventsMax = 32;       // contract edge.md 5.4: one bit each
inline constexpr std::size_t kListMax = 64;               // names of one list, repeated ones included; 32 bits name all
inline constexpr std::size_t kAppNameCharactersMax = 128;  // contract edge.md 7.1
inline constexpr std::size_t kModuleNameBytesMax = 244;    // "<name>_policy.bin" is one file name of 255 bytes
inline constexpr std::size_t kBinaryBytesMax = 4096;       // the longest path of Linux
inline constexpr std::size_t kPolicyBinBytes = 32;         // contract edge.md 6.1

}  // namespace fusebox::edge::config
