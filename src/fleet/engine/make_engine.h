// The engine on its parts: hosts loaded, interrupted work taken over, reconciler begun.
//
// Threads  any executor; returns on the engine's.
#pragma once

#include <memory>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// `sole_owner`: no other process can have this store, so that every unfinished operation is ours to finish now.
base::Task<base::Result<std::unique_ptr<Engine>>> make_engine(EngineParts parts, bool sole_owner);

}  // namespace fusebox::fleet
