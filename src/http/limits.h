// The bounds of this folder. Each says why it has the value it has.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fusebox::http {

inline constexpr std::size_t kResponseHeaderBytesMax = 64 * 1024;  // contract capability.md section 10
inline constexpr std::size_t kResponseHeaderLinesMax = 100;        // contract capability.md section 10
inline constexpr std::size_t kRequestHeadersMax = 64;             // curl sends 64 KiB at most; more names are an attack
inline constexpr std::size_t kPinnedAddressesMax = 16;            // tried in turn; a name with more is still reachable
inline constexpr std::size_t kLookupsMax = 64;                    // threads waiting for a name server at one time
inline constexpr std::size_t kIdleLinesMax = 32;                  // kept connections; each holds a socket and ~50 KiB
inline constexpr std::chrono::seconds kIdleConnectionAgeMax{30};  // servers close idle connections after about a minute
inline constexpr std::chrono::milliseconds kStopPollInterval{10};  // how late a stop is noticed while nothing arrives

}  // namespace fusebox::http
