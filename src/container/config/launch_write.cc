// Writes a launch configuration so that reading it gives the same again: what has its default value is left out.
#include "base/json.h"
#include "container/config/launch_config.h"

namespace fusebox::container {
namespace {

using base::json::Writer;

void text(Writer& out, std::string_view key, std::string_view value) {
  if (!value.empty()) out.key(key).string(value);
}
template <class T>
void number(Writer& out, std::string_view key, const std::optional<T>& value) {
  if (value) out.key(key).unsigned_integer(*value);
}
template <class T>
void number_unless(Writer& out, std::string_view key, T value, T usual) {
  if (value != usual) out.key(key).unsigned_integer(value);
}
void texts(Writer& out, std::string_view key, const std::vector<std::string>& list) {
  out.key(key).begin_array();
  for (const std::string& item : list) out.string(item);
  out.end_array();
}

void device(Writer& out, const DeviceConfig& config) {
  out.begin_object();
  text(out, "name", config.name);
  text(out, "options", config.options);
  if (config.has_path) text(out, "path", "/");
  out.end_object();
}

void console(Writer& out, const LaunchConfig& config) {
  constexpr std::string_view kSlots[] = {"in", "out", "err"};
  bool any = false;
  for (const DeviceConfig& slot : config.console) any = any || slot != DeviceConfig{};
  if (!any) return;
  out.key("console").begin_object();
  for (std::size_t i = 0; i < std::size(kSlots); ++i) {
    if (config.console[i] == DeviceConfig{}) continue;
    out.key(kSlots[i]);
    device(out, config.console[i]);
  }
  out.end_object();
}

void sections(Writer& out, const LaunchConfig& config) {
  if (!config.drivers.empty()) {
    out.key("drivers").begin_array();
    for (const DeviceConfig& driver : config.drivers) device(out, driver);
    out.end_array();
  }
  if (!config.mounts.empty()) {
    out.key("mounts").begin_array();
    for (const MountConfig& mount : config.mounts) {
      out.begin_object();
      text(out, "name", mount.name);
      text(out, "path", mount.path);
      text(out, "options", mount.options);
      out.end_object();
    }
    out.end_array();
  }
  if (!config.sockets.empty()) {
    out.key("sockets").begin_array();
    for (const SocketConfig& socket : config.sockets) {
      out.begin_object();
      text(out, "name", socket.name);
      text(out, "address", socket.address);
      if (socket.has_path) text(out, "path", "/");
      out.end_object();
    }
    out.end_array();
  }
}

void limits(Writer& out, const LimitsConfig& config) {
  if (config == LimitsConfig{}) return;
  out.key("limits").begin_object();
  number(out, "memoryPages", config.memory_pages);
  number(out, "stackBytes", config.stack_bytes);
  number_unless(out, "fds", config.fds, LimitsConfig{}.fds);
  number(out, "cpuMs", config.cpu_ms);
  number(out, "cpuPercent", config.cpu_percent);
  number(out, "wallMs", config.wall_ms);
  number(out, "ticks", config.ticks);
  number(out, "volumeBytes", config.volume_bytes);
  number(out, "logBytes", config.log_bytes);
  number(out, "pipes", config.pipes);
  number(out, "sockBytesPerS", config.socket_bytes_per_s);
  out.end_object();
}

void restart(Writer& out, const RestartConfig& config) {
  if (config == RestartConfig{}) return;
  constexpr std::string_view kPolicies[] = {"no", "on-failure", "always"};
  const RestartConfig usual;
  out.key("restart").begin_object();
  out.key("policy").string(kPolicies[static_cast<std::size_t>(config.policy)]);
  number_unless(out, "max", config.max, usual.max);
  number_unless(out, "delayMs", config.delay_ms, usual.delay_ms);
  number_unless(out, "factor", config.factor, usual.factor);
  number_unless(out, "maxDelayMs", config.max_delay_ms, usual.max_delay_ms);
  number_unless(out, "resetMs", config.reset_ms, usual.reset_ms);
  out.end_object();
}

void tls(Writer& out, const LaunchConfig& config) {
  if (config.tls.empty()) return;
  out.key("tls").begin_object();
  for (const auto& [name, one] : config.tls) {
    out.key(name).begin_object();
    if (one.verify) out.key("verify").string(*one.verify ? "require" : "none");
    text(out, "ca", one.ca);
    text(out, "cert", one.cert);
    text(out, "key", one.key);
    text(out, "serverName", one.server_name);
    out.end_object();
  }
  out.end_object();
}

}  // namespace

std::string write_launch_config(const LaunchConfig& config) {
  constexpr std::string_view kViews[] = {"", "all", "self", "none"};
  const LaunchConfig usual;
  Writer out;
  out.begin_object();
  text(out, "image", config.image);
  console(out, config);
  sections(out, config);
  if (config.args) texts(out, "args", *config.args);
  if (!config.envs.empty()) texts(out, "envs", config.envs);
  limits(out, config.limits);
  restart(out, config.restart);
  text(out, "proc", kViews[static_cast<std::size_t>(config.proc)]);
  if (config.pipes_read != usual.pipes_read || config.pipes_write != usual.pipes_write) {
    out.key("pipes").begin_object();
    if (config.pipes_read != usual.pipes_read) texts(out, "read", config.pipes_read);
    if (config.pipes_write != usual.pipes_write) texts(out, "write", config.pipes_write);
    out.end_object();
  }
  tls(out, config);
  text(out, "writable", config.writable);
  out.end_object();
  return out.take();
}

}  // namespace fusebox::container
