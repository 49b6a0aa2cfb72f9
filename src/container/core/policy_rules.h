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

// The rule a configuration breaks ("fs.read", "fs.write", "http"); "" when it is within the policy, or without one. Paths
// are compared as texts: whoever opens one stays beneath its policy_folder().
std::string broken_policy_rule(const std::optional<policy::Policy>& policy, const LaunchConfig& config);
// The outermost folder of the policy that holds `source`: of nested ones the inner may be a link that a guest has made. ""
// without a policy.
std::string policy_folder(const std::optional<policy::Policy>& policy, const std::string& source);
// The policy's limits as ceilings.
LimitsConfig policy_ceilings(const policy::Policy& policy);

}  // namespace fusebox::container
