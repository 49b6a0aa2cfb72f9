// Bounds of launch and engine configurations, with the reason for each number.
//
// Contract containers.md 4, 5.1, 5.3, 16.4
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::container {

inline constexpr std::size_t kEngineConfigBytesMax = 1u << 20;  // contract 4
inline constexpr std::size_t kSectionEntriesMax = 32;           // contract 5.1: drivers, mounts, sockets
inline constexpr std::size_t kArgsMax = 64;                     // contract 5.1, envs too
inline constexpr std::size_t kArgBytesMax = 4095;               // the same
inline constexpr std::size_t kOptionBytesMax = 4095;            // options, addresses
inline constexpr std::size_t kGlobsMax = 64;  // pipes.read, pipes.write: two per pipe of the largest pool
inline constexpr std::size_t kGlobBytesMax = 255;
inline constexpr std::size_t kTlsSocketsMax = kSectionEntriesMax;

inline constexpr std::uint32_t kFdsMin = 32;    // contract 5.3
inline constexpr std::uint32_t kFdsMax = 4096;  // the same
inline constexpr std::uint32_t kPagesMax = 65536;
inline constexpr std::uint32_t kStackBytesMin = 1024;     // contract 16.4
inline constexpr std::uint32_t kStackBytesMax = 1048576;  // the same
inline constexpr std::uint32_t kWappsMax = 4096;          // the same
inline constexpr std::uint32_t kNameBytesMax = 63;        // contract 3.2
inline constexpr std::uint64_t kMillisMax = 1ull << 40;   // 34 years: sums with the clock never overflow
inline constexpr std::uint64_t kBytesMax = 1ull << 50;    // beyond any disk of the machines meant here
inline constexpr std::uint32_t kPipesMax = 65536;         // 256 MiB of rings at the default size
inline constexpr std::uint32_t kPipeBytesMax = 16u << 20;
inline constexpr std::uint32_t kLogBytesMax = 16u << 20;
inline constexpr std::uint32_t kRestartMax = 1'000'000;
inline constexpr std::uint32_t kRestartMillisMax = 86'400'000;  // a day
inline constexpr std::uint32_t kRestartFactorMax = 100;

}  // namespace fusebox::container
