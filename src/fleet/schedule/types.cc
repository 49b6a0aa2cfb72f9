#include "fleet/schedule/types.h"

namespace fusebox::fleet::schedule {
namespace {

// `sign` 1 takes, -1 gives back.
void account(HostReserved& reserved, const Reservation& taken, std::int64_t sign) {
  reserved.cpus += sign * taken.cpus;
  reserved.ram_mb += sign * taken.ram_mb;
  reserved.storage_gb += sign * taken.storage_gb;
  reserved.vm_count += sign;
  if (taken.gpus == 0) return;
  if (taken.gpu_profile.empty()) {
    reserved.gpus += sign * taken.gpus;
  } else if ((reserved.mig_profiles[taken.gpu_profile] += sign * taken.gpus) == 0) {
    reserved.mig_profiles.erase(taken.gpu_profile);
  }
}

}  // namespace

Reservation reservation_of(const Demand& demand, const Placed& placed) {
  return {demand.cpus,        demand.ram_mb,    demand.storage_gb,        demand.gpus,
          demand.gpu_profile, placed.gpu_uuids, placed.mig_instance_uuids};
}

void reserve(HostReserved& reserved, const Reservation& taken) {
  account(reserved, taken, 1);
  reserved.gpu_uuids.insert(taken.gpu_uuids.begin(), taken.gpu_uuids.end());
  reserved.mig_instance_uuids.insert(taken.mig_instance_uuids.begin(), taken.mig_instance_uuids.end());
}

void release(HostReserved& reserved, const Reservation& taken) {
  account(reserved, taken, -1);
  for (const std::string& uuid : taken.gpu_uuids) reserved.gpu_uuids.erase(uuid);
  for (const std::string& uuid : taken.mig_instance_uuids) reserved.mig_instance_uuids.erase(uuid);
}

}  // namespace fusebox::fleet::schedule
