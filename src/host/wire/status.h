// Errors of a provider as statuses of the host wire, and back: one table for both ends.
//
// Threads  pure functions.
// Contract host-agent.md 3.1
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::host {

inline constexpr std::size_t kErrorTextBytesMax = 512;  // of a text we send or pass on: control-plane.md 25 S8

int status_of(base::Errc code) noexcept;
base::Errc code_of(int status) noexcept;

// One line of valid UTF-8 of at most kErrorTextBytesMax bytes; other control characters become spaces.
std::string short_text(std::string_view text);

}  // namespace fusebox::host
