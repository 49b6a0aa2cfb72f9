// Shell-like patterns over names: `*` any text, also with slashes, `?` one byte, all else itself.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fusebox::vfs {

bool glob_match(std::string_view pattern, std::string_view name) noexcept;
bool glob_match_any(const std::vector<std::string>& patterns, std::string_view name) noexcept;

}  // namespace fusebox::vfs
