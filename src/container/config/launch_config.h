// How one container is launched: the body of /dev/wanted/wapps/<n>/config, supervisor.params, `fusebox up`.
//
// Threads  plain values, pure functions.
// Contract containers.md sections 5 and 6
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "container/config/profile.h"
#include "vfs/errno.h"

namespace fusebox::container {

struct DeviceConfig {
  std::string name;
  std::string options;
  bool has_path = false;  // of a driver: a launch failure
  bool operator==(const DeviceConfig&) const = default;
};
struct MountConfig {
  std::string name;
  std::string path;
  std::string options;
  bool operator==(const MountConfig&) const = default;
};
struct SocketConfig {
  std::string name;
  std::string address;
  bool has_path = false;  // a launch failure
  bool operator==(const SocketConfig&) const = default;
};

struct LimitsConfig {  // contract 5.3; absent = the profile's, or none
  std::optional<std::uint32_t> memory_pages;
  std::optional<std::uint32_t> stack_bytes;
  std::uint32_t fds = 256;
  std::optional<std::uint64_t> cpu_ms;
  std::optional<std::uint32_t> cpu_percent;
  std::optional<std::uint64_t> wall_ms;
  std::optional<std::uint64_t> ticks;         // + of ours: a deterministic budget
  std::optional<std::uint64_t> volume_bytes;  // per volume mount
  std::optional<std::uint32_t> log_bytes;
  std::optional<std::uint32_t> pipes;
  std::optional<std::uint64_t> socket_bytes_per_s;
  bool operator==(const LimitsConfig&) const = default;
};

// Lowers nothing.
inline LimitsConfig no_ceilings() {
  LimitsConfig limits;
  limits.fds = UINT32_MAX;
  return limits;
}

enum class RestartPolicy : std::uint8_t { no, on_failure, always };
struct RestartConfig {
  RestartPolicy policy = RestartPolicy::no;
  std::uint32_t max = 5;
  std::uint32_t delay_ms = 1000;
  std::uint32_t factor = 2;
  std::uint32_t max_delay_ms = 60'000;
  std::uint32_t reset_ms = 60'000;
  bool operator==(const RestartConfig&) const = default;
};

enum class ProcView : std::uint8_t { by_privilege, all, self, none };

struct TlsConfig {
  std::optional<bool> verify;
  std::string ca, cert, key, server_name;  // "" = as the engine's
  bool operator==(const TlsConfig&) const = default;
};

struct LaunchConfig {
  std::string image;        // "" = the instance's name
  DeviceConfig console[3];  // in, out, err; name "" = null, log, log
  std::vector<DeviceConfig> drivers;
  std::vector<MountConfig> mounts;
  std::vector<SocketConfig> sockets;
  std::optional<std::vector<std::string>> args;  // argv[1..]; absent = the image's
  std::vector<std::string> envs;
  LimitsConfig limits;
  RestartConfig restart;
  ProcView proc = ProcView::by_privilege;
  std::vector<std::string> pipes_read{"*"};
  std::vector<std::string> pipes_write{"*"};
  std::vector<std::pair<std::string, TlsConfig>> tls;  // by socket name
  // + of ours: the image's tree gets a writable layer (absent in the reference): "", "memory" or "volume:<name>".
  std::string writable;
  bool operator==(const LaunchConfig&) const = default;
};

// What a config write answers when it refuses (5.2): msgsize or inval, and for people the JSON path and the reason.
struct ConfigError {
  vfs::Errno code = vfs::Errno::inval;
  std::string path;     // "drivers[2].name"
  std::string message;  // one sentence
};
std::expected<LaunchConfig, ConfigError> parse_launch_config(std::string_view json, const ProfileValues& profile);
// The same as JSON, for `inspect` and for the daemon's own files; parse(write(c)) == c.
std::string write_launch_config(const LaunchConfig& config);

}  // namespace fusebox::container
