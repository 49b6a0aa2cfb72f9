// Calls into running environments, and what changes them without ending them: drain, new credentials, new secrets.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 5.4, 8.3, 17.4
#pragma once

#include <map>
#include <memory>
#include <string>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/core.h"

namespace fusebox::fleet {

base::Task<base::Result<std::unique_ptr<GuestLease>>> lease_guest(Core& core, RequestInfo info, std::string vm_id,
                                                                  Engine::GuestUse use);
// Until the engine closes: what is in use here stays known to the leader as active, and ends when another replica ended it.
base::Task<void> keep_active(Core& core);
base::Task<base::Result<Engine::GuestAgent>> find_guest_agent(Core& core, RequestInfo info, std::string vm_id);
base::Task<base::Result<Outcome>> drain_environment(Core& core, RequestInfo info, std::string vm_id);
base::Task<base::Result<void>> rotate_token(Core& core, RequestInfo info, std::string vm_id);
base::Task<base::Result<void>> put_secrets(Core& core, RequestInfo info, std::string vm_id, StringMap secrets,
                                           bool restart);

// What recovery repeats.
base::Task<base::Result<void>> run_drain(Core& core, EnvironmentRow row, OperationRow op);
base::Task<base::Result<void>> run_rotation(Core& core, EnvironmentRow row, OperationRow op);
base::Task<base::Result<void>> run_secrets(Core& core, EnvironmentRow row, OperationRow op);

}  // namespace fusebox::fleet
