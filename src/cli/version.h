// What this build is.
//
// Threads  pure functions.
#pragma once

#include <string_view>

namespace fusebox::cli {

std::string_view version() noexcept;  // "0.1.0", semantic version

}  // namespace fusebox::cli
