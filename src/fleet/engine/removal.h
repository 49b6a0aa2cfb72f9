// The end of an environment: intent, deletion on its host, removal of its row.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 5.3, 8.1, 13 pass 8, 15.2, 15.3
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

struct RemovalReason {
  // Not an aggregate: gcc 12 destroys aggregate temporaries of an await expression twice.
  RemovalReason(std::string_view word_in, std::string error_in = {}, TaskStatus task_in = TaskStatus::failed,
                std::string_view final_in = "destroyed")
      : word(word_in), error(std::move(error_in)), task(task_in), final_state(final_in) {}
  std::string_view word;         // of the event: "requested", "missing", "stuck", "idle", ...
  std::string error;             // last_error of environment and task, "" = keeps
  TaskStatus task;               // what becomes of the task
  std::string_view final_state;  // the last word on the wire: "failed" after a boot error
};

// Records the intent: the generation grows, whatever else was under way is cancelled, its streams end. `also` adds to the
// same transaction. `stale` when the row has moved on; nothing has happened then.
struct Removal {
  Removal(EnvironmentRow row_in, OperationRow op_in) : row(std::move(row_in)), op(std::move(op_in)) {}
  EnvironmentRow row;
  OperationRow op;
};
base::Task<base::Result<Removal>> begin_removal(Core& core, EnvironmentRow row, RemovalReason reason, RequestInfo info,
                                                Store::WriteWork also = {});
// Deletes on the host, unless it is known to be gone from there, and removes the row. On failure the row stays
// `destroying` for the reconciler.
base::Task<base::Result<void>> run_removal(Core& core, Removal removal, bool absent = false);
// Both, or joins the removal that is under way; with the row as it is now.
base::Task<base::Result<void>> remove_environment(Core& core, std::string vm_id, std::string tenant,
                                                  RemovalReason reason, RequestInfo info);
// Another try of a removal that failed or whose worker died.
base::Task<base::Result<void>> retry_removal(Core& core, EnvironmentRow row);
// The same for the reconciler, which waits for nobody: `exists` when another replica works on it. `absent`: a list that
// began after the intent did not have it, so that its row is all that is left.
base::Task<base::Result<void>> try_removal(Core& core, EnvironmentRow row, bool absent);

}  // namespace fusebox::fleet
