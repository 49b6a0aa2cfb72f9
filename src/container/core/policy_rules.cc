#include "container/core/policy_rules.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>

#include "base/beneath.h"
#include "container/config/options.h"
#include "policy/load.h"
#include "vfs/net/socket_address.h"
#include "vfs/styx/styx_mount.h"

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

// Of mount `platform`; what cannot be parsed fails at launch, here and below.
std::string broken_by_folder(const policy::Policy& policy, const MountConfig& mount) {
  const auto parsed = parse_platform_options(mount.options, mount.path);
  if (!parsed || covers(policy, parsed->read_only ? policy.fs_read : policy.fs_write, parsed->source)) return {};
  return parsed->read_only ? "fs.read" : "fs.write";
}

// Of a driver, or of a mount that is one.
std::string broken_by_device(const policy::Policy& policy, std::string_view name, const std::string& options) {
  if (name == "socket") {
    const auto address = vfs::parse_socket_address(options);
    return address && is_external(*address) && !allows(policy.http, *address) ? "http" : "";
  }
  if (name != "9p") return {};
  const auto server = vfs::parse_styx_address(options);
  if (!server) return {};
  if (server->kind == vfs::StyxAddress::Kind::unix_socket)
    return covers(policy, policy.fs_write, server->host) ? "" : "fs.write";
  const bool tcp = server->kind == vfs::StyxAddress::Kind::tcp;
  const vfs::SocketAddress address{
      .kind = tcp ? vfs::SocketKind::tcp : vfs::SocketKind::udp, .host = server->host, .port = server->port};
  return allows(policy.http, address) ? "" : "http";
}

}  // namespace

std::string broken_policy_rule(const std::optional<policy::Policy>& policy, const LaunchConfig& config) {
  if (!policy) return {};
  for (const MountConfig& mount : config.mounts) {
    const std::string broken = mount.name == "platform" ? broken_by_folder(*policy, mount)
                                                        : broken_by_device(*policy, mount.name, mount.options);
    if (!broken.empty()) return broken;
  }
  for (const SocketConfig& socket : config.sockets) {
    if (const std::string broken = broken_by_device(*policy, "socket", socket.address); !broken.empty()) return broken;
  }
  for (const DeviceConfig& driver : config.drivers) {
    if (const std::string broken = broken_by_device(*policy, driver.name, driver.options); !broken.empty())
      return broken;
  }
  for (const auto& [socket, tls] : config.tls) {
    for (const std::string& file : {tls.ca, tls.cert, tls.key})
      if (!file.empty() && !covers(*policy, policy->fs_read, file)) return "fs.read";
  }
  return {};
}

base::Result<base::Fd> open_within_policy(const std::optional<policy::Policy>& policy, const std::string& path) {
  const std::string top = policy_folder(policy, path);
  auto file = base::open_beneath(top, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file) return std::move(*file);
  if (file.error().what == base::BeneathFailure::system)
    return std::unexpected(base::errno_error("cannot open " + path, file.error().saved_errno));
  return base::fail(base::Errc::denied, "cannot open " + path + ": its links lead out of " + top);
}

std::string policy_folder(const std::optional<policy::Policy>& policy, const std::string& source) {
  std::filesystem::path outermost;
  if (!policy) return {};
  for (const policy::FileRules* rules : {&policy->fs_read, &policy->fs_write}) {
    if (!rules->enabled) continue;
    for (const policy::FileRoot& root : rules->roots) {
      const auto folder = policy::resolve(*policy, root.host);
      if (is_within(source, folder) && (outermost.empty() || is_within(outermost, folder))) outermost = folder;
    }
  }
  return outermost.string();
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
