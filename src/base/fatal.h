// The last resort: a defect of our own, or a machine that cannot give what safety rests on (random bytes, a hash).
//
// Never reachable by a guest or a request: those get an Error.
#pragma once

#include <string_view>

namespace fusebox::base {

// Prints "fusebox: fatal: <what>" to standard error and aborts.
[[noreturn]] void fatal(std::string_view what) noexcept;

}  // namespace fusebox::base
