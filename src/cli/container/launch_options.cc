#include "cli/container/launch_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "base/units.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
using base::Errc;
using container::LaunchConfig;

constexpr std::size_t kConfigBytesMax = 1u << 20;
constexpr std::uint64_t kPageBytes = 65536;
constexpr std::uint64_t kPagesMax = 65536;

base::Result<std::uint64_t> milliseconds(const char* option, const std::string& text) {
  FB_TRY(const std::chrono::nanoseconds time, base::within(option, base::parse_duration(text)));
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  if (ms <= 0) return base::fail(Errc::invalid, std::string(option) + " " + text + ": must be above zero");
  return static_cast<std::uint64_t>(ms);
}

base::Result<std::string> absolute(const std::string& host) {
  std::error_code failed;
  const fs::path path = fs::absolute(host, failed).lexically_normal();
  if (failed) return base::fail(Errc::io, host + ": " + failed.message());
  const std::string text = path.string();
  if (text.find(',') != std::string::npos)
    return base::fail(Errc::invalid, host + ": a folder whose path has a comma cannot be mounted");
  return text.size() > 1 && text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
}

base::Result<void> mount_folder(LaunchConfig& config, const std::string& host, const std::string& guest,
                                bool read_only) {
  FB_TRY(const std::string source, absolute(host));
  std::error_code failed;
  if (!fs::is_directory(source, failed)) return base::fail(Errc::not_found, host + ": no such folder");
  config.mounts.push_back({"platform", guest, "src=" + source + (read_only ? ",ro" : ",rw")});
  return {};
}

base::Result<void> mount_root(LaunchConfig& config, const std::string& text, bool read_only) {
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon + 1 < text.size() && text[colon + 1] == '/')
    return mount_folder(config, text.substr(0, colon), text.substr(colon + 1), read_only);
  FB_TRY(const std::string source, absolute(text));
  return mount_folder(config, text, "/" + fs::path(source).filename().string(), read_only);
}

base::Result<LaunchConfig> base_config(const LaunchOptions& options, const container::ProfileValues& profile) {
  if (options.config_file.empty()) return LaunchConfig{};
  FB_TRY(const std::string text, base::within("--config", base::read_file(options.config_file, kConfigBytesMax)));
  auto config = container::parse_launch_config(text, profile);
  if (!config)
    return base::fail(Errc::invalid, options.config_file + ": " + config.error().path + ": " + config.error().message);
  return std::move(*config);
}

base::Result<void> set_limits(LaunchConfig& config, const LaunchOptions& options) {
  if (!options.memory.empty()) FB_CHECK(set_memory(config, options.memory));
  if (!options.cpus.empty()) FB_CHECK(set_cpus(config, options.cpus));
  if (!options.cpu_time.empty()) {
    FB_TRY(config.limits.cpu_ms, milliseconds("--cpu-time", options.cpu_time));
  }
  if (!options.wall_time.empty()) {
    FB_TRY(config.limits.wall_ms, milliseconds("--wall-time", options.wall_time));
  }
  if (options.ticks) config.limits.ticks = options.ticks;
  return {};
}

base::Result<void> set_environment(LaunchConfig& config, const std::vector<std::string>& pairs) {
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos)
      return base::fail(Errc::invalid, "--env " + pair + ": write it as NAME=VALUE");
    config.envs.push_back(pair);
  }
  return {};
}

void set_consoles(LaunchConfig& config, const LaunchOptions& options, bool foreground) {
  const auto set = [&config](int slot, const char* name) {
    if (config.console[slot].name.empty()) config.console[slot].name = name;
  };
  set(0, foreground ? "platform" : options.interactive ? "pipe" : "null");
  for (const int slot : {1, 2}) set(slot, foreground ? "platform" : "log");
}

}  // namespace

base::Result<void> set_memory(LaunchConfig& config, const std::string& text) {
  FB_TRY(const std::uint64_t bytes, base::within("memory", base::parse_size(text)));
  const std::uint64_t pages = bytes / kPageBytes;
  if (pages == 0 || pages > kPagesMax)
    return base::fail(Errc::invalid, "memory " + text + ": between 64KiB (one page) and 4GiB");
  config.limits.memory_pages = static_cast<std::uint32_t>(pages);
  return {};
}

base::Result<void> set_cpus(LaunchConfig& config, const std::string& text) {
  double cpus = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), cpus);
  const int percent = failed == std::errc() && end == text.data() + text.size() && cpus > 0 && cpus <= 1
                          ? static_cast<int>(std::lround(cpus * 100))
                          : 0;
  if (percent < 1)
    return base::fail(Errc::invalid, "cpus " + text + ": between 0.01 and 1; a container has one thread");
  config.limits.cpu_percent = static_cast<std::uint32_t>(percent);
  return {};
}

base::Result<void> set_restart(LaunchConfig& config, const std::string& text) {
  const std::string word = text.substr(0, text.find(':'));
  if (word == "no") {
    config.restart.policy = container::RestartPolicy::no;
  } else if (word == "on-failure") {
    config.restart.policy = container::RestartPolicy::on_failure;
  } else if (word == "always" || word == "unless-stopped") {
    config.restart.policy = container::RestartPolicy::always;
  } else {
    return base::fail(Errc::invalid, "restart " + text + ": no, on-failure, on-failure:N or always");
  }
  if (word.size() == text.size()) return {};
  const std::string count = text.substr(word.size() + 1);
  const auto [end, failed] = std::from_chars(count.data(), count.data() + count.size(), config.restart.max);
  if (failed != std::errc() || end != count.data() + count.size())
    return base::fail(Errc::invalid, "restart " + text + ": '" + count + "' is no number of restarts");
  return {};
}

base::Result<void> mount_volume(LaunchConfig& config, const std::string& text) {
  std::string rest = text;
  const bool read_only = rest.ends_with(":ro");
  if (read_only || rest.ends_with(":rw")) rest.resize(rest.size() - 3);
  const std::size_t colon = rest.find(":/");
  if (colon == 0 || colon == std::string::npos)
    return base::fail(Errc::invalid,
                      "volume " + text + ": write it as NAME:/path or HOST:/path, with :ro to only read");
  const std::string source = rest.substr(0, colon);
  const std::string guest = rest.substr(colon + 1);
  if (source.front() == '/' || source.front() == '.') return mount_folder(config, source, guest, read_only);
  config.mounts.push_back({"volume", guest, "name=" + source + ",shared" + (read_only ? ",ro" : "")});
  return {};
}

base::Result<void> add_socket(LaunchConfig& config, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    return base::fail(Errc::invalid,
                      "socket " + text + ": write it as NAME=ADDRESS, such as web=listen+tcp://127.0.0.1:8080");
  config.sockets.push_back({text.substr(0, equals), text.substr(equals + 1)});
  return {};
}

bool names_container(const LaunchOptions& options) {
  return !options.config_file.empty() || !options.cpus.empty() || !options.volumes.empty() ||
         !options.sockets.empty() || !options.devices.empty() || !options.restart.empty() ||
         !options.writable.empty() || options.interactive;
}

void add_launch_options(CLI::App& verb, LaunchOptions& options) {
  const char* const group = "Containers";
  const auto add = [&verb, group](const char* name, auto& target, const char* help) {
    return verb.add_option(name, target, help)->group(group);
  };
  add("--config", options.config_file, "launch configuration (JSON) that the options add to");
  add("--cpus", options.cpus, "share of one processor, such as 0.5");
  add("--volume,-v", options.volumes,
      "NAME:/path[:ro] keeps data between runs; HOST:/path[:ro] is a folder of this machine")
      ->allow_extra_args(false);
  add("--socket", options.sockets,
      "NAME=ADDRESS: /net/NAME, such as web=listen+tcp://127.0.0.1:8080 or api=tcps://host:443")
      ->allow_extra_args(false);
  add("--device", options.devices, "NAME[=OPTIONS]: /dev/NAME: sha256, ed25519, inflate, log, wanted")
      ->allow_extra_args(false);
  add("--restart", options.restart, "no, on-failure[:N] or always (with --detach)");
  add("--writable", options.writable, "the image's files may be changed: memory, or volume:NAME to keep the changes");
  verb.add_flag("--interactive,-i", options.interactive, "with --detach: keep an input that `fusebox attach` writes to")
      ->group(group);
}

base::Result<LaunchConfig> launch_config_from(const LaunchOptions& options, const container::ProfileValues& profile,
                                              bool foreground) {
  FB_TRY(LaunchConfig config, base_config(options, profile));
  FB_CHECK(set_limits(config, options));
  FB_CHECK(set_environment(config, options.env));
  for (const std::string& text : options.fs_read) FB_CHECK(mount_root(config, text, true));
  for (const std::string& text : options.fs_write) FB_CHECK(mount_root(config, text, false));
  for (const std::string& text : options.volumes) FB_CHECK(mount_volume(config, text));
  for (const std::string& text : options.sockets) FB_CHECK(add_socket(config, text));
  for (const std::string& text : options.devices) {
    const std::size_t equals = text.find('=');
    config.drivers.push_back({text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)});
  }
  if (!options.restart.empty()) FB_CHECK(set_restart(config, options.restart));
  if (!options.writable.empty()) config.writable = options.writable;
  if (!options.args.empty()) config.args = options.args;
  set_consoles(config, options, foreground);
  return config;
}

}  // namespace fusebox::cli
