// What is larger than may ever be, however often it is tried: 413, where other `exhausted` may end by itself.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::host {

inline constexpr std::string_view kTooLarge = "TOO_LARGE";  // name of the error

inline std::unexpected<base::Error> too_large(std::string message) {
  return base::fail(base::Errc::exhausted, std::move(message), std::string(kTooLarge));
}

}  // namespace fusebox::host
