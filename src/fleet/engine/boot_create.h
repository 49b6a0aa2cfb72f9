// The step of a boot that makes the environment on its provider: once, wherever an answer is lost.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 5.2, 14.2
#pragma once

#include "fleet/engine/boot.h"

namespace fusebox::fleet {

// A host that cannot be reached is left for another, at most twice. The row has what the provider said of it.
base::Task<base::Result<Place>> create_on_host(Core& core, Boot& boot);

}  // namespace fusebox::fleet
