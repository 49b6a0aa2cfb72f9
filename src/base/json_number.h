// The number grammar of RFC 8259. Internal to base/json.
//
// Threads  pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace fusebox::base::json {

struct ScannedNumber {
  std::string_view text;   // what was taken; with an error, up to the place where it shows
  std::string_view error;  // empty when the number is good; otherwise the sentence
  bool integer = false;    // no fraction, no exponent, fits int64 or uint64
  bool negative = false;
  std::uint64_t magnitude = 0;  // integers only
  double value = 0;             // both
};

// `rest` starts with '-' or a digit.
ScannedNumber scan_number(std::string_view rest) noexcept;

}  // namespace fusebox::base::json
