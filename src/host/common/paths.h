// Paths of files in environments.
//
// Threads  pure functions.
// Errors   `invalid`.
// Contract control-plane.md 5.2 (files), 5.6, 9.2, 17.4
#pragma once

#include <string_view>

#include "base/result.h"

namespace fusebox::host {

inline constexpr std::size_t kFilePathBytesMax = 4096;

// Absolute, without NUL, no empty, "." or ".." components; "/" is one.
base::Result<void> check_path(std::string_view path);
// /fuse or below: what no snapshot, fork, archive or file route ever contains.
bool is_secret_path(std::string_view path) noexcept;

}  // namespace fusebox::host
