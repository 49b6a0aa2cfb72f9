// What a host's capacity reply says, put into what is stored and known of it.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 11.3
#pragma once

#include <string>
#include <vector>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// Of a registration: what was not declared is taken, what was is compared. 400 when the two cannot be of one machine.
base::Result<void> apply_probe(HostRow& row, const host::Capacity& capacity, std::vector<std::string>& warnings);
// Of a poll or heartbeat: what the caller did not declare.
void take_capacity(Core& core, ManagedHost& host, const host::Capacity& capacity);

}  // namespace fusebox::fleet
