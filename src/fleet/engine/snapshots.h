// Snapshots: made, restored in place, deleted; copies of environments from them.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 10; section 26 rows 1, 8, 9
#pragma once

#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

base::Task<base::Result<Outcome>> create_snapshot(Core& core, RequestInfo info, std::string vm_id,
                                                  SnapshotRequest request);
base::Task<base::Result<Outcome>> restore_snapshot(Core& core, RequestInfo info, std::string snapshot_id);
base::Task<base::Result<void>> delete_snapshot(Core& core, RequestInfo info, std::string snapshot_id);
base::Task<base::Result<Outcome>> fork_environment(Core& core, RequestInfo info, std::string vm_id,
                                                   ForkRequest request);
base::Task<base::Result<Outcome>> fork_from_snapshot(Core& core, RequestInfo info, std::string snapshot_id,
                                                     ForkSnapshotRequest request);
base::Task<base::Result<Outcome>> migrate_environment(Core& core, RequestInfo info, std::string vm_id,
                                                      MigrateRequest request);

// What recovery and the reconciler repeat.
base::Task<base::Result<void>> run_restore(Core& core, EnvironmentRow row, SnapshotRow snapshot, OperationRow op);
// Deletes the bytes and the row; `event` is snapshot.deleted, snapshot.gc_deleted or artifact.gc_deleted.
base::Task<base::Result<void>> run_snapshot_deletion(Core& core, SnapshotRow snapshot, std::string event,
                                                     std::string request_id = {});
// A row that stayed `creating`: found on its agent by the operation's mark, or given up. `op`, if it is not over, ends with
// what is found.
base::Task<base::Result<void>> settle_creating(Core& core, SnapshotRow snapshot, OperationRow* op = nullptr);

}  // namespace fusebox::fleet
