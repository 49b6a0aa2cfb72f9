// A container of the background engine as `fusebox inspect` shows it.
//
// Threads  one thread.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace fusebox::cli {

// {"status": ..., "config": ...} of the container of that name; nothing when no engine runs or it has none.
base::Result<std::optional<std::string>> container_json(const std::string& name);

}  // namespace fusebox::cli
