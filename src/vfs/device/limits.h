// Bounds of the small devices, each with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::vfs {

// Open streams of one container (contract 8.1): enough for one use and the next one that is being prepared.
inline constexpr std::uint32_t kSha256StreamsMax = 2;
inline constexpr std::uint32_t kEd25519StreamsMax = 1;
inline constexpr std::uint32_t kInflateStreamsMax = 1;
// A signed desired state (contract 17.5); it is held in the engine's memory until the verdict.
inline constexpr std::size_t kEd25519MessageBytesMax = 65536;
// Decoded bytes waiting to be read: what one read of a supervisor takes.
inline constexpr std::size_t kInflateOutputBytes = 4096;
// Header and trailer of gzip without anything between: a shorter member cannot be one.
inline constexpr std::uint32_t kGzipMemberBytesMin = 18;

}  // namespace fusebox::vfs
