// Members of the JSON objects that engine and command exchange; defaults where they are missing or of another kind.
//
// Threads  pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace fusebox::container {

std::string text_of(const base::json::Node& node, std::string_view key);
std::uint64_t number_of(const base::json::Node& node, std::string_view key, std::uint64_t fallback = 0);
bool flag_of(const base::json::Node& node, std::string_view key);

}  // namespace fusebox::container
