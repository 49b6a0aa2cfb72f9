// Bounds of the 9p client, each with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace fusebox::vfs {

inline constexpr std::uint32_t kStyxMessageBytes = 8192;  // msize we ask for (contract 12.4)
inline constexpr std::uint32_t kStyxMessageBytesMin =
    512;  // below it the longest name does not fit: a server that offers less is refused
inline constexpr std::uint32_t kStyxFids = 64;                // contract 12.4
inline constexpr std::size_t kStyxWalkNames = 16;             // of one Twalk, by the protocol
inline constexpr base::Nanos kStyxReplyTime{10'000'000'000};  // contract 12.4
inline constexpr int kStyxAttempts = 10;                      // of connecting, contract 12.4
inline constexpr base::Nanos kStyxAttemptTime{1'000'000'000};
// Of one listing, which is held in memory while its descriptor is open.
inline constexpr std::size_t kStyxEntriesMax = 65536;
inline constexpr std::size_t kStyxListingBytesMax = 4u << 20;

}  // namespace fusebox::vfs
