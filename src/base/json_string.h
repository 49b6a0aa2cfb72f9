// The string grammar of RFC 8259. Internal to base/json.
//
// Owner    The text of a result lies in the input or in `scratch`.
// Threads  pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fusebox::base::json {

struct ScannedString {
  std::string_view text;    // decoded
  std::size_t size = 0;     // bytes taken, quotes included; with an error, up to the place where it shows
  bool in_scratch = false;  // an escape was decoded: `text` lies in `scratch`
  std::string_view error;   // empty when the string is good; otherwise the sentence
};

// `rest` starts with the opening quote.
ScannedString scan_string(std::string_view rest, std::string& scratch);

}  // namespace fusebox::base::json
