// Who follows an environment's events hears of its snapshots (kind snapshot).
//
// Internal to src/fleet/engine.
// Threads  inside a transaction.
// Contract control-plane.md 7
#pragma once

#include <string_view>

#include "base/result.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

// `action`: created, restored, deleted. An environment that has ended, or that only has the name, is told nothing.
base::Result<void> tell_environment(Tx& tx, const SnapshotRow& snapshot, std::string_view action);

}  // namespace fusebox::fleet
