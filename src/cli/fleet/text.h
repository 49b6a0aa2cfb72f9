// Small texts: what users type as K=V and sizes, and foreign text on its way to a terminal.
//
// Threads  pure functions.
// Errors   `invalid`, naming what was given and what is allowed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace fusebox::cli::fleet {

using Pair = std::pair<std::string, std::string>;

// Foreign text that a terminal may be shown: valid UTF-8, no control characters but newline and tab.
std::string printable(std::string_view text);

// "K=V"; the key is not empty, the value may be and may hold '='.
base::Result<Pair> key_value(std::string_view option, std::string_view text);
// A number of `unit_bytes`: "512" is 512 units, "1GiB" counts bytes; must come out whole.
base::Result<std::int64_t> size_in(std::string_view option, std::string_view text, std::uint64_t unit_bytes);
// "90" is seconds; "2h", "1m30s" as everywhere; must come out whole.
base::Result<std::int64_t> seconds_in(std::string_view option, std::string_view text);
base::Result<std::int64_t> milliseconds_in(std::string_view option, std::string_view text);  // "90" is seconds too
base::Result<std::int64_t> whole_number(std::string_view option, std::string_view text, std::int64_t min,
                                        std::int64_t max);

std::string age_text(base::Nanos span);  // "5s", "3m", "2h", "4d": the largest unit, rounded down

// A string member, or "".
std::string text_member(const base::json::Node& node, std::string_view key);
// By dotted path, "capacity.cpus": scalars as text, objects and lists as JSON, absent as "".
std::string text_at(const base::json::Node& node, std::string_view path);
const base::json::Node* node_at(const base::json::Node& node, std::string_view path);
std::string scalar_text(const base::json::Node& node);

}  // namespace fusebox::cli::fleet
