// From a launch configuration to a namespace: consoles, devices, sockets and mounts, in the order of contract 5.2.
//
// Owner    a Launched owns what the run must give back at its end; the namespace keeps its mounts.
// Threads  launch(): the run's worker.
// Contract containers.md 5, 6, 8, 12, 13
#pragma once

#include <array>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "container/config/launch_config.h"
#include "container/containers.h"
#include "container/core/end.h"
#include "vfs/console/console.h"
#include "vfs/console/window.h"
#include "vfs/namespace.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::container {

struct LaunchRequest {
  Containers::Core& core;
  const std::string& name;
  std::uint32_t slot;
  const LaunchConfig& config;  // limits already lowered
  const image::Image& image;
  std::array<int, 3> platform_fds;          // behind `platform` consoles
  std::shared_ptr<void> keep_platform_fds;  // null for the engine's own
  std::shared_ptr<vfs::Window> window;
  std::function<bool()> stopped = {};  // what takes long ends early, with any error, when it answers true
};

struct Launched {
  std::shared_ptr<const vfs::Namespace> names;
  std::array<std::shared_ptr<vfs::Console>, 3> consoles;
};

std::expected<Launched, End> launch(const LaunchRequest& request);

// argv and environment of the image's configuration with the launch configuration over it (5.1, 18.4).
std::vector<std::string> launch_args(const std::string& name, const LaunchConfig& config, const image::Image& image);
std::vector<std::string> launch_envs(const LaunchConfig& config, const image::Image& image);
// `envs` with those of `over` in place of entries with the same key, or after them.
void override_envs(std::vector<std::string>& envs, const std::vector<std::string>& over);

// What applies of what is asked, what the image wants at most, and the ceilings of profile, engine and policy.
LimitsConfig effective_limits(const ContainersOptions& engine, const LimitsConfig& asked, const image::Image& image);
// What applies of several wishes: the lowest each.
LimitsConfig lower_of(const LimitsConfig& a, const LimitsConfig& b);

}  // namespace fusebox::container
