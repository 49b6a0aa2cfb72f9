// A namespace kept open for processes that come and go. No program runs in it by itself: it costs what its mounts cost.
//
// Each process has its own consoles (and with them its own /dev); root, further mounts and sockets are shared. A module is
// looked up in the namespace, so what was written into its writable layer runs like what the image brought.
//
// Owner    keeps image, mounts and the engine's core alive. Destruction stops its processes and does not wait for them;
//          they keep what they need. SpaceProcess: its starter and the scheduler.
// Threads  any, all functions.
// Errors   ControlError at start(): too many processes. What is wrong with a module shows in the end of its process.
// Contract host-agent.md 5.2; containers.md 5, 16 for what a process is
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "container/config/launch_config.h"
#include "container/containers.h"
#include "container/control.h"
#include "image/image.h"
#include "vfs/console/console.h"
#include "vfs/namespace.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::container {

struct SpaceOptions {
  std::string name;  // for messages
  std::shared_ptr<const image::Image> image;
  std::shared_ptr<vfs::Mount> root;                          // null = the image's tree, read-only
  std::vector<vfs::Namespace::MountAt> mounts;               // besides /dev and /net
  LaunchConfig config;                                       // of it count: sockets, envs, limits
  std::function<bool(const vfs::HostAddress&)> may_connect;  // of resolved names, see vfs::NetOptions; null = any
};

// How a process ended, in the words of a run's.
struct SpaceEnd {
  State state = State::failure;
  std::int32_t exit_code = -1;
  std::string reason;
  std::string message;  // a sentence's rest, as " trapped: unreachable"; "" = none
  base::Nanos cpu{0};
};

struct SpaceExec {
  std::string program;                                    // path of a module in the namespace
  std::vector<std::string> args;                          // argv[0] first
  std::vector<std::string> envs;                          // over the image's and the space's, by key
  std::array<std::shared_ptr<vfs::Console>, 3> consoles;  // null = nothing; detached at the end
  std::uint64_t memory_pages_max = 0;                     // 0 = the space's
  base::Nanos wall_max{0};                                // 0 = none; reason wall-limit
  // Called once, on a thread of the scheduler, when all of the process is closed. Not called when start() fails.
  std::function<void(const SpaceEnd&)> ended;
};

class SpaceProcess {
 public:
  virtual ~SpaceProcess() = default;
  virtual void request_stop() noexcept = 0;
  virtual std::uint64_t memory_bytes() const noexcept = 0;  // linear memory; 0 before and after
  virtual base::Nanos cpu_time() const noexcept = 0;
};

inline constexpr std::size_t kSpaceProcessesMax = 64;  // of one space at a time (contract host-agent.md 8.1)

class Space {
 public:
  virtual ~Space() = default;
  virtual Controlled<std::shared_ptr<SpaceProcess>> start(SpaceExec exec) = 0;
  virtual void stop_all() noexcept = 0;
  virtual std::size_t running() const noexcept = 0;
};

// The engine's threads for work that would block. The engine outlives what is given to it.
vfs::Offload offload_of(Containers& containers);

// Sockets are bound and addresses checked here: `invalid` for what is wrong with the configuration.
base::Result<std::shared_ptr<Space>> open_space(Containers& containers, SpaceOptions options);

}  // namespace fusebox::container
