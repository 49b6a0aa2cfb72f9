// What the scheduler knows about a host and what an environment asks for: plain values, no store; states are those of its rows.
//
// Threads  plain values.
// Units    *_mb MiB, *_gb GiB. Every number is int64 and may be negative when a host lies: free space is then 0.
// Contract control-plane.md 11.1, 12
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleet/store/records.h"

namespace fusebox::fleet::schedule {

using Labels = std::map<std::string, std::string>;

struct GpuDevice {
  std::string uuid;  // may be empty: such devices are counted, not named
  std::string model;
};
struct MigInstance {
  std::string uuid;
  std::string profile;
  std::string kind;  // empty: the host's
};

struct HostCapacity {
  std::int64_t cpus = 0;
  std::int64_t ram_mb = 0;
  std::int64_t storage_gb = 0;
  std::int64_t vm_count = 0;
  std::int64_t gpus = 0;
  std::string gpu_kind;
  std::map<std::string, std::int64_t> mig_profiles;  // by lower-case profile; used when there is no instance list
  std::vector<MigInstance> mig_instances;
  std::vector<GpuDevice> gpu_devices;
};

// Sums over the environments of the host.
struct HostReserved {
  std::int64_t cpus = 0;
  std::int64_t ram_mb = 0;
  std::int64_t storage_gb = 0;
  std::int64_t vm_count = 0;
  std::int64_t gpus = 0;  // whole devices only; slices are in mig_profiles
  std::map<std::string, std::int64_t> mig_profiles;
  std::set<std::string> gpu_uuids;
  std::set<std::string> mig_instance_uuids;
};

struct HostView {
  std::string id;
  HostState state = HostState::active;
  Reachability reachability = Reachability::reachable;
  std::string backend = "firecracker";
  std::string region;
  std::string arch;  // empty: amd64
  Labels labels;
  std::set<std::string, std::less<>> features;
  HostCapacity capacity;
  HostReserved reserved;
  bool tells_images = false;
  std::set<std::string, std::less<>> images;  // present on the host, when it tells
  std::int64_t huge_pages_free_mb = 0;
};

// The snapshot an environment starts from.
struct Seed {
  std::string backend;
  std::string arch;                            // empty: amd64
  std::set<std::string, std::less<>> holders;  // host ids
  bool live = false;                           // resumes memory: only a holder with feature live-fork can
  std::string text;                            // "snap-1, held by a, b": what a refusal says about it
};

// Effective sizes: defaults are already filled in (contract 5.2).
struct Demand {
  std::int64_t cpus = 1;
  std::int64_t ram_mb = 512;
  std::int64_t storage_gb = 0;
  std::string region;
  std::string arch;
  Labels labels;
  std::int64_t gpus = 0;
  std::string gpu_kind;
  std::string gpu_profile;  // lower case; set: `gpus` counts slices
  std::string host_pin;
  std::string backend;
  std::string image;
  bool egress = false;
  bool huge_pages = false;
  bool has_seed = false;
  Seed seed;
};

// What one environment holds on its host.
struct Reservation {
  std::int64_t cpus = 0;
  std::int64_t ram_mb = 0;
  std::int64_t storage_gb = 0;
  std::int64_t gpus = 0;
  std::string gpu_profile;
  std::vector<std::string> gpu_uuids;
  std::vector<std::string> mig_instance_uuids;
};

struct Placed {
  std::string host_id;
  std::vector<std::string> gpu_uuids;
  std::vector<std::string> mig_instance_uuids;
  bool operator==(const Placed&) const = default;
};
// No host is registered and nothing asked for one: the built-in provider takes it.
struct DefaultProvider {
  bool operator==(const DefaultProvider&) const = default;
};
struct Refusal {
  int http_status = 503;
  std::string text;
  bool operator==(const Refusal&) const = default;
};
using Placement = std::variant<Placed, DefaultProvider, Refusal>;

enum class PlacementPolicy : std::uint8_t { spread, binpack };

Reservation reservation_of(const Demand& demand, const Placed& placed);
void reserve(HostReserved& reserved, const Reservation& taken);
void release(HostReserved& reserved, const Reservation& taken);

}  // namespace fusebox::fleet::schedule
