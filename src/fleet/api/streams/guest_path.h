// A path inside an environment, as a caller names it.
//
// Threads  pure functions.
// Errors   ApiErrorDetail 400.
// Contract control-plane.md 5.2 (files), 5.6
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::fleet {

inline constexpr std::size_t kGuestPathMax = 4096;  // PATH_MAX of every guest

// Absolute, clean, no NUL or newline, and not /fuse nor anything below it: that is where secrets live.
base::Result<std::string> guest_path(std::string_view text);
base::Result<std::uint32_t> file_mode(std::string_view octal);  // "" = 0644

}  // namespace fusebox::fleet
