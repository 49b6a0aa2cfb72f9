// Failures of a database in the words that may be shown to anybody. Internal to fleet/store.
//
// Threads  pure functions.
#pragma once

#include <string_view>

#include "base/result.h"

namespace fusebox::fleet {

// "full", "corrupt", "unreachable", "error"; "" for what is a caller's own business (a guard, a key that exists).
std::string_view failure_class(const base::Error& error) noexcept;

}  // namespace fusebox::fleet
