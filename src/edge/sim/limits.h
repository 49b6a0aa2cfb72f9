// Bounds of a deployment run on this machine: one line of reason per number.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fusebox::edge::sim {

inline constexpr std::size_t kFrameBytesMax = 64u << 20;       // one image; more than a guest's usual memory
inline constexpr std::size_t kFramesMax = 4096;                // files of an image folder; 7 minutes at ten a second
inline constexpr std::uint64_t kFramePeriodUs = 100'000;       // ten frames a second
inline constexpr std::size_t kGeneratedFrameBytes = 262'144;   // 512 x 512 grey pixels
inline constexpr std::uint32_t kPins = 256;                    // others read low
inline constexpr std::uint32_t kSerialPorts = 8;               // others receive nothing and take nothing
inline constexpr std::size_t kSerialQueueBytes = 64u << 10;    // a loop-back nobody reads takes no more
inline constexpr std::uint64_t kTraceBytesMax = 256ull << 20;  // Perfetto opens that in a browser
inline constexpr std::size_t kPostsMax = 32;                   // one per event
inline constexpr std::size_t kLogLinesShown = 8;               // below the live table
inline constexpr std::uint64_t kViewPeriodUs = 250'000;        // a person reads no faster
inline constexpr std::uint64_t kTickFloorUs = 100;             // a module without an interval leaves others a processor
inline constexpr std::uint64_t kSleepUsMax = 3'600'000'000;    // so that no sum of times overflows

}  // namespace fusebox::edge::sim
