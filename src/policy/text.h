// Putting sentences together without a temporary string per '+'.
//
// Threads  pure functions.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace fusebox::policy {

inline std::string concat(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  std::string out;
  out.reserve(size);
  for (const std::string_view part : parts) out += part;
  return out;
}

template <class Items>
std::string join(const Items& items, std::string_view separator = ", ") {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += separator;
    out += item;
  }
  return out;
}

// The text in double quotes, for messages.
inline std::string in_quotes(std::string_view text) {
  return concat({"\"", text, "\""});
}

}  // namespace fusebox::policy
