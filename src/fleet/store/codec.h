// How values of records.h lie in columns: times as texts, lists and maps as JSON. Internal to fleet/store.
//
// Threads  pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace fusebox::fleet {

inline constexpr std::size_t kTimeTextBytes = 27;  // 2026-11-21T15:33:00.000001Z
// Microseconds since 1970 as RFC 3339; years 0000 to 9999, beyond them the nearest of those. Texts sort as times do.
std::array<char, kTimeTextBytes> time_text(std::int64_t microseconds) noexcept;
// Zero for what is not such a time.
base::Nanos time_of(std::string_view text) noexcept;

std::string json_list(const std::vector<std::string>& items);
std::string json_map(const std::map<std::string, std::string>& items);
std::string json_map(const std::map<std::string, std::int64_t>& items);
// What does not fit the type is left out: a foreign writer may have been there.
std::vector<std::string> list_of(std::string_view json);
std::map<std::string, std::string> text_map_of(std::string_view json);
std::map<std::string, std::int64_t> number_map_of(std::string_view json);

// Foreign text (a host's error, a guest's message) as a database takes it: valid UTF-8 without NUL. Returns `text` itself
// where that holds already, else a view of `kept`.
std::string_view storable_text(std::string_view text, std::string& kept);
// The same for JSON; nothing is {}. An escaped NUL, which PostgreSQL refuses in JSONB, becomes U+FFFD.
std::string_view storable_json(std::string_view json, std::string& kept);

}  // namespace fusebox::fleet
