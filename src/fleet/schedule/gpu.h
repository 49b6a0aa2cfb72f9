// Whether a host's free devices or slices serve a demand, and which ones it gets.
//
// Threads  pure functions.
// Contract control-plane.md 12.1 (GPU fit), 12.4
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fleet/schedule/types.h"

namespace fusebox::fleet::schedule {

struct GpuChoice {
  std::vector<std::string> gpu_uuids;
  std::vector<std::string> mig_instance_uuids;
};

// Has any device or slice at all, free or not.
bool serves_gpus(const HostView& host) noexcept;
// Nothing when they do not suffice. In the order of the host's lists, so equal fleets choose equally; a device without
// a uuid counts and is not named.
std::optional<GpuChoice> choose_gpus(const HostView& host, const Demand& demand);
// The same question without making the lists.
bool gpus_fit(const HostView& host, const Demand& demand);

// `1 gpu of kind "a100"`, `2 gpus`, `2 1g.5gb mig instances`.
std::string gpu_text(const Demand& demand);

}  // namespace fusebox::fleet::schedule
