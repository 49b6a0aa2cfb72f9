// Bounds of this folder, each with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::wasi {

inline constexpr std::uint32_t kVectorsMax = 1024;   // buffers of one call: IOV_MAX of the systems guests come from
inline constexpr std::uint32_t kVectorsInPlace = 8;  // so many need no allocation; libcs pass 1 to 3
inline constexpr std::uint32_t kSubscriptionsMax = 1024;     // contract 15.5
inline constexpr std::size_t kRandomPieceBytes = 64u << 10;  // of random_get between two looks for a stop: about 200 us
inline constexpr std::size_t kMemoryPieceBytes = 16u << 20;  // the same of env.memcpy and the like: some ms
inline constexpr std::size_t kPrintBytesMax = 64u << 10;     // of one printf; what is longer is cut
inline constexpr std::uint32_t kPrintWidthMax = 4096;        // of one conversion, width and precision
inline constexpr std::int64_t kCpuClockLookNs = 1'000'000;   // how often a wait for a CPU clock looks: it hardly moves

}  // namespace fusebox::wasi
