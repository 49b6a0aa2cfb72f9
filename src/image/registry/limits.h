// The bounds of talking to registries, with the reason for each number.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fusebox::image::registry {

inline constexpr int kRedirectsMax = 5;                    // storage behind a registry is one or two away
inline constexpr std::size_t kTokenBytesMax = 1u << 20;    // of a token server's answer
inline constexpr std::size_t kErrorBytesMax = 64u << 10;   // of an answer that only says what went wrong
inline constexpr std::uint64_t kChunkBytes = 16u << 20;    // of an upload; larger blobs go in several
inline constexpr int kAttemptsMax = 5;                     // of a download, in a row, that bring nothing
inline constexpr std::chrono::seconds kAnswerTimeMax{60};  // for documents and small answers
inline constexpr std::chrono::hours kTransferTimeMax{12};  // for a whole blob on a slow line
inline constexpr std::chrono::seconds kStallTimeMax{60};   // without a single byte

}  // namespace fusebox::image::registry
