// The end of a migration: the copy runs, its source goes.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 26
#pragma once

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// From step `moved` on: the source is drained and destroyed, the operation ends. The answer waits for that: whoever has it
// may destroy the copy, and with it this operation.
base::Task<base::Result<Outcome>> leave_source(Core& core, EnvironmentRow row, OperationRow op);
// The same for an operation that was taken over.
base::Task<void> finish_move(Core& core, EnvironmentRow row, OperationRow op);

}  // namespace fusebox::fleet
