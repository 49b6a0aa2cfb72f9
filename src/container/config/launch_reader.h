// The keys of a launch configuration inside any document (engine configurations hold one, too).
//
// Threads  pure functions.
// Contract containers.md 5.1, 5.3
#pragma once

#include "container/config/lax_reader.h"

namespace fusebox::container {

LaunchConfig read_launch_config(const LaxObject& root, const ProfileValues& profile);
// The keys of `limits` (5.3), also in system.limits, where 0 pages mean no cap: nobody else may lift one.
LimitsConfig read_limits(const LaxObject& limits, std::uint64_t pages_min = 1);

}  // namespace fusebox::container
