// Decides where an environment goes. Pure: same fleet, demand and policy give the same host. Does no I/O, takes no lock.
//
// Threads  pure functions.
// Contract control-plane.md 12.2, 12.3; image locality is a preference of ours between "holds the seed" and the score
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fleet/schedule/gates.h"
#include "fleet/schedule/types.h"

namespace fusebox::fleet::schedule {

// What orders the hosts that pass every gate.
struct Rank {
  int tier = 0;  // 0; 1: a GPU host for work without GPUs; 2: suspect
  bool holds_seed = false;
  bool holds_image = false;
  std::int64_t score = 0;  // free cpus * 10000 + free ram_mb
};
Rank rank_of(const HostView& host, const Demand& demand);
std::int64_t score_of(const HostView& host) noexcept;
std::int64_t score_of_free(std::int64_t cpus, std::int64_t ram_mb) noexcept;
// Whether `a` on host `a_id` is to be taken rather than `b` on `b_id`.
bool better(const Rank& a, std::string_view a_id, const Rank& b, std::string_view b_id,
            PlacementPolicy policy) noexcept;

// What a refusal counts.
struct FleetCounts {
  std::size_t hosts = 0;
  std::size_t schedulable = 0;    // active, whatever else
  std::size_t gpu_hosts = 0;      // of those, with devices or slices
  std::size_t label_matches = 0;  // of those, with every label of the demand
  std::size_t image_matches = 0;  // of those, where its image may be
};
Refusal refusal_for(const Demand& demand, const FleetCounts& counts);
Refusal unknown_pin(const Demand& demand);
// The decision for a pinned host alone.
Placement place_pinned(const HostView& host, const Demand& demand);
Placed bind(const HostView& host, const Demand& demand);  // the host passes every gate

// Looks at every host. HostIndex (host_index.h) gives the same answers without doing so.
Placement place(std::span<const HostView> hosts, const Demand& demand, PlacementPolicy policy);

// One per host, in the order of `hosts`.
struct Explanation {
  std::string host_id;
  std::string rejection;  // empty: it can take the environment
  Rank rank;              // when it can
  bool chosen = false;
  std::string text() const;  // `host "a" is cordoned, not active`, `host "a" can take it: score 20512, tier 0, chosen`
};
Explanation explain_one(const HostView& host, const Demand& demand, const Placed* placed);
std::vector<Explanation> explain(std::span<const HostView> hosts, const Demand& demand, PlacementPolicy policy);

}  // namespace fusebox::fleet::schedule
