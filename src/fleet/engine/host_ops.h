// Hosts: registered, probed, cordoned, drained, removed; what they tell of themselves.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 11
#pragma once

#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

base::Task<base::Result<Outcome>> register_host(Core& core, RequestInfo info, HostRequest request);
base::Task<base::Result<void>> set_cordoned(Core& core, std::string host_id, bool cordoned);
base::Task<base::Result<void>> drain_host(Core& core, std::string host_id, bool evict, std::int64_t timeout_seconds);
base::Task<base::Result<void>> remove_host(Core& core, std::string host_id);
// Whether any environment is on it, in whatever state.
base::Task<base::Result<bool>> has_environments(Core& core, std::string host_id);
base::Task<base::Result<void>> take_heartbeat(Core& core, std::string host_id, HeartbeatRequest request);
base::Task<base::Result<std::string>> explain_placement(Core& core, CreateRequest request);

// The event of that change, if it is one.
std::string_view reach_event(Reachability before, Reachability after) noexcept;
// A host's reachability has changed: counted, and by the leader, whose word it is, written and told.
void note_reach(Core& core, std::shared_ptr<ManagedHost> host, Reachability before);
// Asks a host how it is; writes what changed. Part of the leader's work.
base::Task<void> poll_host(Core& core, std::shared_ptr<ManagedHost> host);
// What the default providers that are agents can do: they have no row to tell another replica by.
base::Task<void> ask_default_agents(Core& core);
// Reachability by age, for all hosts.
void age_hosts(Core& core);
base::Task<base::Result<void>> load_hosts(Core& core);

}  // namespace fusebox::fleet
