// Where a new environment goes: which backend, which host or the default provider.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 12, 14.1; issue 7 section 3 for the default backend
#pragma once

#include <optional>
#include <set>
#include <string>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// The backend an environment is of that names none: the configured one; a seed's own; qemu for GPUs; "" (any VM backend)
// where a VM host or agent is known; wasm for an image that is here; "" where only other hosts are; else the stub.
std::string default_backend(Core& core, const schedule::Demand& demand);

// What runs in a replica's own process no other replica can see: only the stub, which keeps no more than the rows say, may.
bool is_shared_out(const Core& core, std::string_view backend);

// What its image takes, as the agents tell, counts for an environment that asks for no storage (12.1).
void count_image(Core& core, schedule::Demand& demand);

struct Choice {
  std::string host_id;  // "" = the default provider of `backend`
  std::string backend;
  schedule::Placed placed;
};
// Takes the room at once, in memory; give it back with core.hosts.release() if the environment is not recorded.
// `tried`: hosts that are not to take it; never the one it is pinned to.
base::Result<Choice> choose_place(Core& core, const schedule::Demand& demand, const std::set<std::string>& tried = {});

}  // namespace fusebox::fleet
