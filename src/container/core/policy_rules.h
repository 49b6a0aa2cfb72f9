// system.policy: a Fusebox policy that launch configurations must stay within.
//
// Threads  pure functions.
// Contract containers.md 4 (system.policy)
#pragma once

#include <optional>
#include <string>

#include "container/config/launch_config.h"
#include "fusebox/policy.h"

namespace fusebox::container {

// The rule a configuration breaks ("fs.read", "fs.write", "http", "env"); "" when it is within the policy, or without one.
std::string broken_policy_rule(const std::optional<policy::Policy>& policy, const LaunchConfig& config);
// The policy's limits as ceilings.
LimitsConfig policy_ceilings(const policy::Policy& policy);

}  // namespace fusebox::container
