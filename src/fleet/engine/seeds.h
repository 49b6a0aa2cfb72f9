// Where the bytes of a snapshot are, and how they come to the host that needs them.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 10.7, 12.1
#pragma once

#include <optional>
#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// A seed by id: 404 unknown, 409 not ready or without a host.
base::Task<base::Result<SnapshotRow>> find_seed(Core& core, std::string snapshot_id, std::string tenant);
// The hosts that have it or can be given it. A snapshot of a default provider has no holders.
base::Task<base::Result<schedule::Seed>> seed_demand(Core& core, const SnapshotRow& snapshot);
// On return `seed` and `op` name it by the id under which the row's host has it. Pulls when it has not.
base::Task<base::Result<void>> bring_seed(Core& core, const EnvironmentRow& row, OperationRow& op, SnapshotRow& seed);

}  // namespace fusebox::fleet
