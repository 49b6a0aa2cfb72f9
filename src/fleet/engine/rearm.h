// Guests that lost what was in their memory.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 9.5
#pragma once

#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// Profile files, tmpfs and agent once more.
base::Task<base::Result<void>> rearm(Core& core, EnvironmentRow row, std::string cause);

}  // namespace fusebox::fleet
