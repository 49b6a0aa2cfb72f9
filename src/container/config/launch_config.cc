#include "container/config/launch_config.h"

#include <algorithm>

#include "container/config/launch_reader.h"
#include "container/config/limits.h"

namespace fusebox::container {
namespace {

template <class T>
std::optional<T> narrow(std::optional<std::uint64_t> value) {
  if (!value) return std::nullopt;
  return static_cast<T>(*value);
}

DeviceConfig read_device(const LaxObject& object, const ProfileValues& profile) {
  return {object.text("name", profile.name_bytes), object.text("options", kOptionBytesMax)};
}

// Drivers and sockets have their own place: a path is refused at launch (launch_rules.h), which needs to know of it.
bool has_path(const LaxObject& object) {
  return !object.text("path", kArgBytesMax).empty();
}

void read_sections(const LaxObject& root, const ProfileValues& profile, LaunchConfig& config) {
  root.each("drivers", kSectionEntriesMax, [&](const LaxObject& entry) {
    config.drivers.push_back(read_device(entry, profile));
    config.drivers.back().has_path = has_path(entry);
  });
  root.each("mounts", kSectionEntriesMax, [&](const LaxObject& entry) {
    DeviceConfig device = read_device(entry, profile);
    config.mounts.push_back(
        {std::move(device.name), entry.text("path", profile.max_path_bytes - 1), std::move(device.options)});
  });
  root.each("sockets", kSectionEntriesMax, [&](const LaxObject& entry) {
    config.sockets.push_back({entry.text("name", profile.name_bytes), entry.text("address", kOptionBytesMax)});
    config.sockets.back().has_path = has_path(entry);
  });
}

RestartConfig read_restart(const LaxObject& object) {
  RestartConfig restart;
  const auto take = [&object](std::string_view key, std::uint32_t& into, std::uint32_t min, std::uint32_t max) {
    if (const auto value = object.integer(key, min, max)) into = static_cast<std::uint32_t>(*value);
  };
  if (const auto policy = object.choice("policy", {"no", "on-failure", "always"}))
    restart.policy = static_cast<RestartPolicy>(*policy);
  take("max", restart.max, 0, kRestartMax);
  take("delayMs", restart.delay_ms, 0, kRestartMillisMax);
  take("factor", restart.factor, 1, kRestartFactorMax);
  take("maxDelayMs", restart.max_delay_ms, 0, kRestartMillisMax);
  take("resetMs", restart.reset_ms, 0, kRestartMillisMax);
  return restart;
}

TlsConfig read_tls(const LaxObject& object) {
  TlsConfig tls;
  if (const auto verify = object.choice("verify", {"require", "none"})) tls.verify = *verify == 0;
  tls.ca = object.text("ca", kOptionBytesMax);
  tls.cert = object.text("cert", kOptionBytesMax);
  tls.key = object.text("key", kOptionBytesMax);
  tls.server_name = object.text("serverName", kGlobBytesMax);
  return tls;
}

void read_tls_sockets(const LaxObject& root, LaunchConfig& config) {
  const LaxObject all = root.object("tls");
  if (!all.present()) return;
  for (const std::string& name : root.find("tls")->keys()) {
    if (config.tls.size() == kTlsSocketsMax) {
      root.error("tls", vfs::Errno::msgsize, "has more than " + std::to_string(kTlsSocketsMax) + " entries");
      return;
    }
    const LaxObject one = all.object(name);
    if (one.present()) config.tls.emplace_back(name, read_tls(one));
  }
}

void read_writable(const LaxObject& root, LaunchConfig& config) {
  config.writable = root.text("writable", kGlobBytesMax);
  if (!config.writable.empty() && config.writable != "memory" && !config.writable.starts_with("volume:"))
    root.error("writable", vfs::Errno::inval, R"(must be "memory" or "volume:<name>")");
}

}  // namespace

LimitsConfig read_limits(const LaxObject& object, std::uint64_t pages_min) {
  LimitsConfig limits;
  limits.memory_pages = narrow<std::uint32_t>(object.integer("memoryPages", pages_min, kPagesMax));
  limits.stack_bytes = narrow<std::uint32_t>(object.integer("stackBytes", kStackBytesMin, kStackBytesMax));
  if (const auto fds = object.integer("fds", kFdsMin, kFdsMax)) limits.fds = static_cast<std::uint32_t>(*fds);
  limits.cpu_ms = object.integer("cpuMs", 1, kMillisMax);
  limits.cpu_percent = narrow<std::uint32_t>(object.integer("cpuPercent", 1, 100));
  limits.wall_ms = object.integer("wallMs", 1, kMillisMax);
  limits.ticks = object.integer("ticks", 1, kBytesMax);
  limits.volume_bytes = object.integer("volumeBytes", 0, kBytesMax);
  limits.log_bytes = narrow<std::uint32_t>(object.integer("logBytes", 1, kLogBytesMax));
  limits.pipes = narrow<std::uint32_t>(object.integer("pipes", 0, kPipesMax));
  limits.socket_bytes_per_s = object.integer("sockBytesPerS", 1, kBytesMax);
  return limits;
}

LaunchConfig read_launch_config(const LaxObject& root, const ProfileValues& profile) {
  LaunchConfig config;
  config.image = root.text("image", 2 * std::size_t{profile.name_bytes} + 1);
  const LaxObject console = root.object("console");
  constexpr std::string_view kSlots[] = {"in", "out", "err"};
  for (std::size_t slot = 0; slot < std::size(kSlots); ++slot)
    config.console[slot] = read_device(console.object(kSlots[slot]), profile);
  read_sections(root, profile, config);
  config.args = root.texts("args", kArgsMax, kArgBytesMax);
  if (auto envs = root.texts("envs", kArgsMax, kArgBytesMax)) config.envs = std::move(*envs);
  config.limits = read_limits(root.object("limits"));
  config.restart = read_restart(root.object("restart"));
  if (const auto view = root.choice("proc", {"all", "self", "none"})) config.proc = static_cast<ProcView>(1 + *view);
  const LaxObject pipes = root.object("pipes");
  if (auto globs = pipes.texts("read", kGlobsMax, kGlobBytesMax)) config.pipes_read = std::move(*globs);
  if (auto globs = pipes.texts("write", kGlobsMax, kGlobBytesMax)) config.pipes_write = std::move(*globs);
  read_tls_sockets(root, config);
  read_writable(root, config);
  return config;
}

std::expected<LaunchConfig, ConfigError> parse_launch_config(std::string_view json, const ProfileValues& profile) {
  ConfigErrors errors;
  const std::optional<base::json::Document> document = parse_lax(json, profile.config_bytes_max, errors);
  if (!document) return std::unexpected(errors.front());
  if (!document->root->is_object()) {
    return std::unexpected(ConfigError{
        vfs::Errno::inval, "", "must be an object, not " + std::string(base::json::to_string(document->root->kind()))});
  }
  LaunchConfig config = read_launch_config(LaxObject(document->root.get(), "", errors), profile);
  if (!errors.empty()) return std::unexpected(errors.front());
  return config;
}

}  // namespace fusebox::container
