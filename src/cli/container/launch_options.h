// What `fusebox run` is told about a container, as a launch configuration.
//
// Threads  pure functions but for reading --config.
// Errors   `invalid`, naming the option and how to write it.
// Contract containers.md sections 5, 6
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "container/config/launch_config.h"

namespace CLI {
class App;
}

namespace fusebox::cli {

// As typed. An empty text is an option that was not given. Those that capabilities have too are set by the caller.
struct LaunchOptions {
  std::string config_file;
  std::string memory;
  std::string cpu_time;
  std::string wall_time;
  std::optional<std::uint64_t> ticks;
  std::vector<std::string> env;      // NAME=VALUE
  std::vector<std::string> fs_read;  // HOST[:GUEST]
  std::vector<std::string> fs_write;
  std::string cpus;                  // "0.5" = half of one processor
  std::vector<std::string> volumes;  // NAME:PATH[:ro], HOST:PATH[:ro]
  std::vector<std::string> sockets;  // NAME=ADDRESS
  std::vector<std::string> devices;  // NAME[=OPTIONS]
  std::string restart;               // no, on-failure[:N], always
  std::string writable;              // memory, volume:NAME
  std::vector<std::string> args;
  bool interactive = false;
};

// Options that only containers have.
void add_launch_options(CLI::App& verb, LaunchOptions& options);
// Whether one of those was given: the artifact is then run as a container or not at all.
bool names_container(const LaunchOptions& options);

// `foreground`: the console is this process's; else input is nothing (or a pipe, when interactive) and output the log.
base::Result<container::LaunchConfig> launch_config_from(const LaunchOptions& options,
                                                         const container::ProfileValues& profile, bool foreground);

// The parts that `fusebox up` shares.
base::Result<void> mount_volume(container::LaunchConfig& config, const std::string& text);
base::Result<void> add_socket(container::LaunchConfig& config, const std::string& text);
base::Result<void> set_restart(container::LaunchConfig& config, const std::string& text);
base::Result<void> set_memory(container::LaunchConfig& config, const std::string& text);
base::Result<void> set_cpus(container::LaunchConfig& config, const std::string& text);

}  // namespace fusebox::cli
