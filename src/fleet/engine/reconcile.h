// Brings what is and what should be together, tick by tick, on the leader.
//
// Level-triggered: every pass looks at rows and listings as they are now. Each host is a lane of its own; a lane never
// waits for another and never overlaps itself, nor does a pass over rows. What an unreachable host has is unknown, never
// nothing. A replica that does not lead any more ends its passes where they are.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 11.4, 13
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/core.h"
#include "fleet/engine/host_places.h"
#include "fleet/engine/removal.h"

namespace fusebox::fleet {

// One lane: a host, or a default provider.
struct Lane {
  std::string host_id;  // "" = the default provider of `backend`
  std::string backend;
  bool busy = false;
  // Names that a list had and no row knew, with when that was first seen.
  struct Orphan {
    base::Nanos first_seen{0};  // monotonic
    std::int32_t failures = 0;
    base::Nanos next_try{0};
    bool dead_lettered = false;
  };
  std::map<std::string, Orphan, std::less<>> orphans;
  struct Retry {
    base::Nanos next{0};  // monotonic
    std::int32_t failures = 0;
  };
  std::map<std::string, Retry, std::less<>> removals;  // that failed, by vm_id
};

class Reconciler {
 public:
  explicit Reconciler(Core& core) : core_(core) {}

  // Polls hosts and ticks until the engine closes; does nothing while another replica leads.
  base::Task<void> run();
  // One tick; returns when its lanes and passes have ended.
  base::Task<void> tick();

 private:
  using Names = std::set<std::string, std::less<>>;
  using BootIds = std::map<std::string, std::string, std::less<>>;  // by host name
  struct Pass {
    base::Task<void> (Reconciler::*work)();
    bool busy = false;
  };
  base::Task<void> run_pass(Pass& pass);
  bool leads() const noexcept { return !core_.closing && core_.parts.store.is_leader(); }
  base::Task<void> lead();  // has begun or ended

  base::Task<void> lane(std::shared_ptr<Lane> lane);
  // Returns what the rows of the lane say.
  base::Task<BootIds> missing(Lane& lane, const Names& listed, base::Nanos list_began);
  base::Task<void> missing_row(Lane& lane, base::Places& places, EnvironmentRow row, bool present,
                               base::Nanos list_began);
  base::Task<void> confirm_missing(Lane& lane, EnvironmentRow row);
  base::Task<void> orphans(Lane& lane, const std::vector<host::VmRecord>& listed, const BootIds& known);
  base::Task<void> orphan(Lane& lane, host::VmRecord record);
  base::Task<void> rebooted(Lane& lane, const std::vector<host::VmRecord>& listed, const BootIds& known);
  base::Task<void> rebooted_one(Lane& lane, base::Places& places, std::string name, std::string boot_id);
  // Whether the guest still has what it was armed with. Nothing: it did not say.
  base::Task<std::optional<bool>> is_armed(EnvironmentRow row, Place place);
  base::Task<void> destroying(Lane& lane, const Names& listed, base::Nanos list_began);
  base::Task<void> destroy(Lane& lane, base::Places& places, EnvironmentRow row, bool absent);
  base::Task<void> deadlines();  // stuck and idle
  base::Task<void> deadlines_in(EnvironmentState state, HostPlaces& places, base::TaskScope& scope);
  base::Task<void> stuck(HostPlaces& places, EnvironmentRow row, base::Nanos at);
  base::Task<void> stuck_over(EnvironmentRow row);
  base::Nanos ceiling_of(const EnvironmentRow& row) const noexcept;
  base::Nanos idle_limit_of(const EnvironmentRow& row) const noexcept;
  bool is_idle(const EnvironmentRow& row, base::Nanos at) const;
  base::Task<void> idle(HostPlaces& places, EnvironmentRow row, base::Nanos at);
  // `check` may still refuse, in the transaction that records the end.
  base::Task<void> strike_out(HostPlaces& places, EnvironmentRow row, std::string_view kind, RemovalReason reason,
                              base::Nanos at, EngineMeters::Count count, Store::WriteWork check = {});
  base::Task<void> health();
  base::Task<void> health_of(EnvironmentRow row, BootMaterial material);
  base::Task<void> snapshots();
  base::Task<void> collect(HostPlaces& places, SnapshotRow snapshot, base::Nanos at);
  base::Task<void> settle(HostPlaces& places, SnapshotRow snapshot);
  base::Task<void> restoring();
  base::Task<void> allocations();
  base::Task<void> layers();  // by idleness, then by number (10.5)
  base::Task<void> collect_layer(HostPlaces& places, SnapshotRow layer, base::Nanos at);
  base::Task<void> leaks();                                         // bytes an agent could not delete when it was asked
  base::Task<void> leaks_of(std::vector<LeakedArtifactRow> leaks);  // of one host
  base::Task<void> guests();  // those whose agents tell no boot id (9.5), and certificates that run out
  base::Task<void> guest(EnvironmentRow row);
  base::Task<void> gauges();
  base::Task<void> snapshot_gauges();
  base::Task<void> reseal();  // what a former key sealed (17.1); until nothing is left
  base::Task<bool> reseal_host(HostRow found);
  base::Task<bool> reseal_environment(EnvironmentRow found);
  bool tell_unsealed(std::string_view field, std::string_view id);
  base::Task<void> retention();
  base::Task<void> poll();
  std::vector<std::shared_ptr<Lane>> lanes();
  host::CallContext quick() const;

  Core& core_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Lane>> lanes_;
  std::array<Pass, 8> passes_{{{&Reconciler::deadlines},
                               {&Reconciler::health},
                               {&Reconciler::snapshots},
                               {&Reconciler::allocations},
                               {&Reconciler::layers},
                               {&Reconciler::leaks},
                               {&Reconciler::guests},
                               {&Reconciler::gauges}}};
  Pass retention_{&Reconciler::retention};
  Pass poll_{&Reconciler::poll};
  bool led_ = false;
  struct Silence {
    std::int32_t misses = 0;     // of its guest agent, in a row
    base::Nanos asked_again{0};  // monotonic: before that, its files are known to be there
  };
  std::map<std::string, Silence, std::less<>> silences_;   // by vm_id
  std::set<std::pair<std::string, std::string>> counted_;  // states and backends shown
  bool resealed_ = false;                                  // or a pass is under way
  bool unopened_ = false;                                  // the pass found what no key opens
  std::uint64_t health_checked_ = 0, health_failing_ = 0;
  std::set<std::string, std::less<>> no_verdict_;  // vm_ids whose health file says none: told once
  std::uint64_t tracked_ = 0, listed_ = 0;
};

}  // namespace fusebox::fleet
