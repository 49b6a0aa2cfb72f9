// Failures of a database in the words that may be shown to anybody. Internal to fleet/store.
//
// Threads  pure functions.
#pragma once

#include <string_view>

#include "base/result.h"

namespace fusebox::fleet {

// Of a database without room: its own text names a step, a file or a driver, and this is what callers of the API read.
inline constexpr std::string_view kStoreFull =
    "the store is full; nothing was changed; try again when there is room on its disk";

// "full", "corrupt", "unreachable", "error"; "" for what is a caller's own business (a guard, a key that exists).
std::string_view failure_class(const base::Error& error) noexcept;

}  // namespace fusebox::fleet
