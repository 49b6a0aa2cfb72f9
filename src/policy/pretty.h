// Indented JSON for people.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>

namespace fusebox::policy {

// `json` must be compact and valid. Two spaces a level, a line end at the end; lists of plain values stay on one line.
std::string pretty_json(std::string_view json);

}  // namespace fusebox::policy
