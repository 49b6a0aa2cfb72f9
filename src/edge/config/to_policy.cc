#include <algorithm>
#include <cstring>

#include "edge/config/keys.h"
#include "edge/config/names.h"
#include "edge/config/review.h"

namespace fusebox::edge::config {
namespace {

std::uint64_t pages_of(const fuse_policy_t& policy, const fuse_options_t& options) {
  const std::uint32_t cap = options.memory_pages_cap == 0 ? kPagesMax : options.memory_pages_cap;
  return policy.memory_pages_max == 0 ? cap : std::min(policy.memory_pages_max, cap);
}

std::uint64_t cpu_ns_of(const fuse_policy_t& policy, const fuse_options_t& options) {
  const std::uint64_t us = policy.cpu_quota_us != 0 ? policy.cpu_quota_us : options.step_ceiling_us;
  return us == 0 ? policy::kNoTimeLimit : us * 1000;
}

policy::Schedule schedule_of(const fuse_policy_t& policy, const fuse_policy_ext_t& ext) {
  policy::Schedule out;
  out.activation_mask = policy.activation_mask & kActivationMask;
  // A mask of unknown bits alone is never run by tick, as if only the host asked.
  if (out.activation_mask == 0)
    out.activation_mask = policy.activation_mask == 0 ? policy::Schedule::kInterval : policy::Schedule::kManual;
  out.event_subscribe = policy.event_subscribe;
  out.step_interval_us = policy.step_interval_us;
  out.phase_us = ext.phase_us;
  out.deadline_us = ext.deadline_us;
  out.priority = ext.priority;
  out.drift_free = (ext.flags & FUSE_EXT_DRIFT_FREE) != 0;
  out.init_budget_us = ext.init_budget_us;
  out.log_entries_per_step = ext.log_entries_per_step;
  out.restart = static_cast<policy::Restart>(ext.restart);
  out.restart_max = ext.restart_max;
  out.restart_backoff_us = ext.restart_backoff_us;
  return out;
}

}  // namespace

policy::Policy to_policy(const EdgePolicy& edge, const fuse_options_t& options) {
  policy::Policy out;
  out.limits.memory_bytes = pages_of(edge.policy, options) * policy::kPageBytes;
  out.limits.cpu_ns = cpu_ns_of(edge.policy, options);
  out.limits.wall_ns = policy::kNoTimeLimit;
  out.limits.ticks = edge.ext.tick_budget;
  out.limits.stack_bytes = edge.policy.stack_size;
  out.limits.concurrent = 1;
  out.log.enabled = (edge.policy.capabilities & FUSE_CAP_LOG) != 0;
  for (const std::string& name : capability_names(edge.policy.capabilities & ~FUSE_CAP_LOG))
    out.hal_groups.emplace_back(group_of_capability(name)->name);
  std::ranges::sort(out.hal_groups);
  out.schedule = schedule_of(edge.policy, edge.ext);
  if ((edge.ext.flags & FUSE_EXT_SHA256) != 0) {
    out.integrity.require = policy::IntegrityRequire::hash;
    std::memcpy(out.integrity.sha256.emplace_back().data(), edge.ext.sha256, sizeof edge.ext.sha256);
  }
  return out;
}

}  // namespace fusebox::edge::config
