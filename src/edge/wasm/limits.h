// Bounds of the engine behind the edge runtime, with the reason for each number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::edge {

// Programs found again by their bytes: a reload then costs no compilation. Each also keeps a copy of its bytes.
inline constexpr std::size_t kProgramsKeptMax = 64;  // more than a machine's deployment has kinds of modules
inline constexpr std::size_t kProgramBytesKeptMax = 64u << 20;

inline constexpr std::uint64_t kTableElementsMax = 100'000;  // over all tables of a module; 800 KB of pointers

// A slot of the pool is address space; the fast profile reserves all that 32 bits can name, so any memory fits.
#if defined(FUSEBOX_TSAN)
inline constexpr std::uint64_t kPoolMemoryBytes = 16u << 20;  // all the thread sanitizer leaves room for
#else
inline constexpr std::uint64_t kPoolMemoryBytes = std::uint64_t{4} << 30;
#endif

inline constexpr std::uint64_t kCpuMicrosMax = 1'000'000'000'000;  // 11 days; nanoseconds stay far from wrapping

}  // namespace fusebox::edge
