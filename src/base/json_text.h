// How JSON values and foreign text look inside a sentence. Internal to base/json.
//
// Threads  pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace fusebox::base::json {

// Appends `value` as a JSON string with its quotes.
void append_quoted(std::string& out, std::string_view value);
// Appends the shortest text that reads back as the same double.
void append_number(std::string& out, double value);

// For messages: `70000`, `"64MiB"`, `an object`.
std::string described(const Node& node);
// `"a", "b" and "c"`.
std::string listed(std::span<const std::string_view> names);

}  // namespace fusebox::base::json
