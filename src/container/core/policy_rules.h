// system.policy: a Fusebox policy that launch configurations must stay within.
//
// Threads  any; pure functions but for open_within_policy().
// Contract containers.md 4 (system.policy)
#pragma once

#include <optional>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "container/config/launch_config.h"
#include "fusebox/policy.h"

namespace fusebox::container {

// The rule a configuration breaks ("fs.read", "fs.write", "http"); "" when it is within the policy, or without one. Paths
// are compared as texts: whoever opens one stays beneath its policy_folder().
std::string broken_policy_rule(const std::optional<policy::Policy>& policy, const LaunchConfig& config);
// The outermost folder of the policy that holds `source`: of nested ones the inner may be a link that a guest has made. ""
// without a policy.
std::string policy_folder(const std::optional<policy::Policy>& policy, const std::string& source);
// A file that a configuration names, opened on a way that stays beneath its policy_folder(). Errors: `denied`, what open(2)
// says.
base::Result<base::Fd> open_within_policy(const std::optional<policy::Policy>& policy, const std::string& path);
// The policy's limits as ceilings.
LimitsConfig policy_ceilings(const policy::Policy& policy);

}  // namespace fusebox::container
