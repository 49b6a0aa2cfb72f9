// A drain with eviction: what runs on the host is drained, and what is left when the time is up is destroyed.
//
// The time stands in the host's row: the leader goes on with it after a restart of whoever it was asked of.
// Internal to src/fleet/engine.
// Contract control-plane.md 11.2
#pragma once

#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// Whether the host is being emptied.
bool is_evicting(const HostRow& row) noexcept;
// Until nothing is there or the host is no longer draining; returns at once where it is under way here.
base::Task<void> evict(Core& core, std::string host_id);

}  // namespace fusebox::fleet
