// Reading the guest's result out of its memory, and the form it is delivered in (contract capability.md 4.3).
//
// Threads  pure functions.
// Errors   RESULT_OUT_OF_BOUNDS, RESULT_TOO_LARGE, RESULT_INVALID_UTF8, RESULT_NOT_JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

// The bytes from `pointer` to the first NUL.
base::Result<std::string_view> result_until_nul(std::span<const std::byte> memory, std::uint32_t pointer,
                                                std::uint64_t limit);
// Exactly `length` bytes at `pointer`; a negative length is one too large for any memory.
base::Result<std::string_view> result_range(std::span<const std::byte> memory, std::uint32_t pointer,
                                            std::uint32_t length, std::uint64_t limit);

struct FormattedResult {
  std::string text;
  ResultKind kind = ResultKind::json;
};
// Nothing at all is JSON `null` in every format; an empty result is `null` in all but `bytes`, unless it came as an
// empty NUL-terminated string, which is text.
base::Result<FormattedResult> format_result(std::optional<std::string> bytes, bool empty_is_null,
                                            policy::ResultFormat format);

}  // namespace fusebox::capability
