// What is stored of a snapshot before its host is asked to make it.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 10.3
#pragma once

#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// 409 when the tenant has as many, or as many bytes of them, as it may.
base::Task<base::Result<void>> check_quota(Core& core, std::string tenant, std::string mode);
// In state `creating`, with an id of ours.
base::Task<base::Result<SnapshotRow>> new_snapshot_row(Core& core, const RequestInfo& info, const EnvironmentRow& row,
                                                       const SnapshotRequest& request, const Place& place);

}  // namespace fusebox::fleet
