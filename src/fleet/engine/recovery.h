// Work that somebody else began and cannot end: read from its operation's last recorded step, then finished or undone once.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 15.3
#pragma once

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// Takes over every operation whose lease has ended and spawns its continuation. `all`: leases do not count, because no
// other process can have this store (SQLite at start).
base::Task<base::Result<void>> take_over(Core& core, bool all);

// Keeps the leases of this replica's operations until the engine closes.
base::Task<void> keep_leases(Core& core);

}  // namespace fusebox::fleet
