#include "container/core/policy_rules.h"

#include <algorithm>
#include <filesystem>

#include "container/config/options.h"
#include "policy/load.h"
#include "vfs/net/socket_address.h"

namespace fusebox::container {
namespace {

bool is_within(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto inner = path.lexically_normal();
  const auto outer = root.lexically_normal();
  const auto [at, unused] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return at == outer.end() || (std::next(at) == outer.end() && at->empty());  // "/a/" has an empty last part
}

bool covers(const policy::Policy& policy, const policy::FileRules& rules, const std::string& source) {
  return rules.enabled && std::ranges::any_of(rules.roots, [&](const policy::FileRoot& root) {
           return is_within(source, policy::resolve(policy, root.host));
         });
}

bool host_matches(const policy::HttpRule& rule, const vfs::SocketAddress& address) {
  if (rule.port && *rule.port != address.port) return false;
  if (!rule.host) return true;
  if (!rule.host->starts_with("*.")) return *rule.host == address.host;
  const std::string suffix = rule.host->substr(1);
  return address.host.size() > suffix.size() && address.host.ends_with(suffix);
}

bool allows(const policy::HttpRules& rules, const vfs::SocketAddress& address) {
  const auto matches = [&](const policy::HttpRule& rule) { return host_matches(rule, address); };
  return rules.enabled && std::ranges::any_of(rules.allow, matches) && !std::ranges::any_of(rules.deny, matches);
}

bool is_external(const vfs::SocketAddress& address) {
  return address.kind != vfs::SocketKind::serial && !address.listens();
}

}  // namespace

std::string broken_policy_rule(const std::optional<policy::Policy>& policy, const LaunchConfig& config) {
  if (!policy) return {};
  for (const MountConfig& mount : config.mounts) {
    if (mount.name != "platform") continue;
    const auto parsed = parse_platform_options(mount.options, mount.path);
    if (!parsed) continue;
    if (!covers(*policy, parsed->read_only ? policy->fs_read : policy->fs_write, parsed->source))
      return parsed->read_only ? "fs.read" : "fs.write";
  }
  const auto refused = [&](std::string_view text) {
    const auto address = vfs::parse_socket_address(text);
    return address && is_external(*address) && !allows(policy->http, *address);
  };
  for (const SocketConfig& socket : config.sockets) {
    if (refused(socket.address)) return "http";
  }
  for (const DeviceConfig& driver : config.drivers) {
    if (driver.name == "socket" && refused(driver.options)) return "http";
  }
  return {};
}

LimitsConfig policy_ceilings(const policy::Policy& policy) {
  LimitsConfig limits = no_ceilings();
  limits.memory_pages = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(policy.limits.memory_pages(), 1, 65536));
  limits.cpu_ms = std::max<std::uint64_t>(policy.limits.cpu_limit_ns() / 1'000'000, 1);
  limits.wall_ms = std::max<std::uint64_t>(policy.limits.wall_limit_ns() / 1'000'000, 1);
  if (policy.limits.ticks > 0) limits.ticks = policy.limits.ticks;
  return limits;
}

}  // namespace fusebox::container
