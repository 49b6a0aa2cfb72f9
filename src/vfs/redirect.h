// Where a symbolic link of the namespace leads: the answer Errno::redirect with the path to go on at.
//
// Threads  pure.
// Contract containers.md 14.1
#pragma once

#include <string_view>

#include "vfs/file.h"

namespace fusebox::vfs {

// `link` is the path of the link, `rest` what of the asked path follows it; both without leading slash. `target` as stored.
// Answers `redirect`, or `noent` for an empty target. The namespace normalises call.redirect.
Errno redirect_through(Call& call, std::string_view link, std::string_view target, std::string_view rest);

}  // namespace fusebox::vfs
