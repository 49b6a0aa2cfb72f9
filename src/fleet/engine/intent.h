// The rows that begin an environment: its intent, or, where the provider is of this process and made it at once, its intent
// and its outcome together.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 9.4 steps 1-3, 12.4; docs/adr/0011
#pragma once

#include "fleet/engine/boot.h"
#include "fleet/engine/core.h"

namespace fusebox::fleet {

// Takes the share of `row` on its host. `exhausted`, name "capacity", when the room or a device it is to have is taken by
// then, whatever the views said.
base::Result<void> take_room(Tx& tx, const EnvironmentRow& row);

// Durable before anything is asked of a host.
base::Task<base::Result<void>> record_intent(Core& core, const Boot& boot);

// The whole history of `boot.row`, which runs: provisioning and running in one transaction.
base::Result<void> write_made(Tx& tx, const Boot& boot);
// What the step from provisioning to running adds to the history, however it is recorded.
void write_running_events(Tx& tx, const Boot& boot);

// 409: the name has an environment already (5.2).
std::unexpected<base::Error> already_assigned(const std::string& task_id, const std::string& vm_id);

// The task of an environment whose history begins.
TaskRow task_of(const EnvironmentRow& row, TaskStatus status, std::string_view error);

}  // namespace fusebox::fleet
