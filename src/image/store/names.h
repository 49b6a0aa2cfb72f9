// The grammar of image names and versions, and how foreign names are fitted into it.
//
// Threads  pure functions.
// Errors   `invalid` "BAD_NAME".
// Contract containers.md 3.2, 18.1
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "image/library.h"

namespace fusebox::image {

inline constexpr std::string_view kLatest = "latest";  // the version of what is stored without one

// [A-Za-z0-9_][A-Za-z0-9._-]*
bool is_name(std::string_view text, std::uint32_t bytes_max) noexcept;
// `what` starts the sentence: "image name".
base::Result<void> check_name(std::string_view what, std::string_view text, std::uint32_t bytes_max);

// The name and tag a foreign reference suggests: the last path component and its tag, cut to the grammar. Parts that
// cannot be fitted, and a tag that is not there, are empty.
Reference suggested_reference(std::string_view foreign, std::uint32_t bytes_max);

// The entry a reference means: that version, or the newest. `not_found` otherwise.
base::Result<Entry> choose(std::span<const Entry> entries, const Reference& reference);

}  // namespace fusebox::image
