// Sizes and durations as people write them: "64MiB", "5s".
//
// Threads  pure functions.
// Errors   `invalid`, with what was given and what is allowed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::base {

// "65536", "64KiB", "64 MiB", "1.5GiB", "10kB", "2MB": binary and decimal multiples, a fraction only where the result is whole.
Result<std::uint64_t> parse_size(std::string_view text);
// "250ns", "50us", "5ms", "1.5s", "2m", "1h", "1m30s". A bare number is refused: it has no unit.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// The shortest exact text: 65536 -> "64 KiB", 1500 -> "1500 bytes".
std::string format_size(std::uint64_t bytes);
// 5s -> "5 s", 1500ms -> "1500 ms", 50us -> "50 us".
std::string format_duration(std::chrono::nanoseconds duration);
// 65536 -> "65,536".
std::string format_count(std::uint64_t count);

}  // namespace fusebox::base
