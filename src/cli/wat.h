// The text format, accepted wherever a binary module is.
//
// Threads  pure function.
// Errors   `invalid` with file:line:column for every error found.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::cli {

inline constexpr std::size_t kTextErrorsMax = 20;  // nobody mends more at once
// The parser recurses; 8 MiB of native stack end at some 50,000 levels.
inline constexpr std::size_t kTextNestingMax = 4000;

// Whether the bytes can only be text: they do not start with the binary format's magic number.
bool looks_like_text(std::string_view bytes) noexcept;

base::Result<base::Bytes> assemble_text(std::string_view text, std::string_view file);

}  // namespace fusebox::cli
