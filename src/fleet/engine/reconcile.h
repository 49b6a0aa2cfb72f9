// Brings what is and what should be together, tick by tick, on the leader.
//
// Level-triggered: every pass looks at rows and listings as they are now. Each host is a lane of its own; a lane never
// waits for another and never overlaps itself. What an unreachable host has is unknown, never nothing.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 11.4, 13
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/core.h"
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
  std::map<std::string, std::string, std::less<>> boot_ids;  // as last listed, by host name
};

class Reconciler {
 public:
  explicit Reconciler(Core& core) : core_(core) {}

  // Polls hosts and ticks until the engine closes; does nothing while another replica leads.
  base::Task<void> run();
  // One tick, whoever leads; returns when its lanes have ended.
  base::Task<void> tick();

 private:
  base::Task<void> lane(std::shared_ptr<Lane> lane);
  base::Task<void> missing(Lane& lane, const std::set<std::string, std::less<>>& listed, base::Nanos list_began);
  base::Task<void> confirm_missing(Lane& lane, EnvironmentRow row);
  base::Task<void> orphans(Lane& lane, const std::vector<host::VmRecord>& listed);
  base::Task<void> orphan(Lane& lane, host::VmRecord record);
  base::Task<void> rebooted(Lane& lane, const std::vector<host::VmRecord>& listed);
  base::Task<void> rebooted_one(EnvironmentRow row, std::string boot_id);
  // Whether the guest still has what it was armed with. Nothing: it did not say.
  base::Task<std::optional<bool>> is_armed(EnvironmentRow row, Place place);
  base::Task<void> destroying(Lane& lane, const std::set<std::string, std::less<>>& listed, base::Nanos list_began);
  base::Task<void> deadlines();  // stuck and idle
  base::Task<void> stuck(EnvironmentRow row, base::Nanos at);
  base::Task<void> idle(EnvironmentRow row, base::Nanos at);
  base::Task<void> strike_out(EnvironmentRow row, std::string_view kind, RemovalReason reason, base::Nanos at,
                              EngineMeters::Count count);
  base::Task<void> health();
  base::Task<void> health_of(EnvironmentRow row, BootMaterial material);
  base::Task<void> snapshots();
  base::Task<void> restoring();
  base::Task<void> allocations();
  base::Task<void> layers();  // by idleness, then by number (10.5)
  base::Task<void> collect_layer(SnapshotRow layer, base::Nanos at);
  base::Task<void> leaks();   // bytes an agent could not delete when it was asked
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
  struct Retry {
    base::Nanos next{0};
    std::int32_t failures = 0;
  };
  std::map<std::string, Retry, std::less<>> destroy_retries_;  // by vm_id
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
