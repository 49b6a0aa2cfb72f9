// Containers of one engine: what may be started, what runs, how it ended; the one place where control verbs act.
//
// The control nodes of /dev/wanted, the supervisor loop and the command line call the same functions. A name has at most
// one record: a reservation (a name, perhaps with a configuration, waiting for its start), a run (live or ended), or both.
// A start answers as soon as the run has a slot; loading, compiling and the guest itself happen on the scheduler's
// threads. What is waited for is an event (changes(), events(), wait()), never polled.
//
// Owner    owns scheduler, engines, pipes, logs and records. Destruction stops every run and waits for their end.
// Threads  any, all functions. Verbs are atomic under one lock.
// Errors   ControlError; what is wrong with an image or a configuration shows in the run's state and reason (5.2).
// Contract containers.md sections 9, 16; 5.2 for when errors show
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "base/result.h"
#include "container/config/launch_config.h"
#include "container/config/profile.h"
#include "container/control.h"
#include "container/events.h"
#include "engine/code_cache.h"
#include "fusebox/policy.h"
#include "image/library.h"
#include "vfs/console/window.h"
#include "vfs/log/log_store.h"
#include "vfs/pipe/pipe_pool.h"

namespace fusebox::container {

// What TLS sockets use where a launch configuration says nothing (system.tls, --tls-ca, --tls-insecure).
struct TlsDefaults {
  bool verify = true;
  std::string ca, cert, key;  // PEM files, "" = the system's, none
};

struct ContainersOptions {
  ProfileValues profile;  // with system.limits applied
  bool privileged = false;
  std::shared_ptr<image::Library> library;
  std::filesystem::path data_dir;      // volumes: priv/<instance>/<name>, shared/<name>
  std::filesystem::path registry_dir;  // for /proc/memory: whose file system is measured; "" = data_dir
  std::shared_ptr<engine::CodeCache> code_cache;
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  // One line without prefix and line end: the bodies of contract 2.3. Called from any thread, one at a time.
  std::function<void(std::string_view)> message;
  TlsDefaults tls;
  std::optional<policy::Policy> policy;   // system.policy: narrows launch configurations
  LimitsConfig ceilings = no_ceilings();  // system.limits: what every launch configuration is lowered to
  bool supervised = false;                // slot 0 and the name `supervisor` are kept for launch_supervisor()
  std::uint8_t clock_quality = 3;         // 0..3, or kClockQualityAuto
  bool prestat_nul = false;               // system.compat.prestatNul
  std::array<int, 3> platform_fds{0, 1, 2};
  std::string version = "0.0.0";       // of /proc/wanted
  std::uint32_t workers = 0;           // 0 = processors
  std::uint32_t instances_pooled = 0;  // 0 = by max_wapps
  // Whether so many bytes of memory can be had for one more run; a start answers NOMEM when not. Not set: the kernel is
  // asked.
  std::function<bool(std::uint64_t bytes)> has_memory;
  // Descriptors this process may hold: no container may open so many that none are left for the engine and the others.
  std::uint64_t descriptors_max = 0;  // 0 = the kernel is asked
  // poweroff, reboot, reload-supervisor of root ctl. Not set: the verbs answer PERM.
  enum class HostVerb : std::uint8_t { poweroff, reboot, reload_supervisor };
  std::function<void(HostVerb)> host_verb;
};
inline constexpr std::uint8_t kClockQualityAuto = 0xff;

// What a start may bring along beyond the launch configuration.
struct StartOptions {
  std::string image;  // "<name>[:<version>]"; "" = the configuration's
  // Duplicated: behind the console slots called `platform` of this run, instead of the engine's own 0, 1, 2. -1 = as the
  // engine's.
  std::array<int, 3> platform_fds{-1, -1, -1};
  // Instead of the library's: the supervisor, `fusebox run FILE`. Then image and version in Status stay as given in `shown`.
  std::shared_ptr<const image::Image> opened;
  image::Reference shown;
  vfs::WindowSize window;  // of the terminal in front of it, as far as there is one; resize() changes it
};

struct ExecOptions {
  std::string module_path;  // in the container's image, absolute or relative to "/"; "" = its own module
  std::vector<std::string> args;
  std::vector<std::string> envs;          // added to the container's, by key
  std::array<int, 3> fds{-1, -1, -1};     // duplicated; -1 = null
  std::optional<base::Nanos> wall_max{};  // reason wall-limit
};
// How a further process stands; its outcome in the same words as a run's.
struct ExecStatus {
  std::uint64_t id = 0;
  State state = State::starting;
  std::int32_t exit_code = -1;
  std::string reason = "-";
};

// The consoles of a run as somebody outside sees them: output of `log` and `pipe` slots, input of a `pipe` slot.
class Attachment {
 public:
  virtual ~Attachment() = default;
  struct Output {
    int slot = 1;      // 1 = out, 2 = err; both are 1 for `log`, whose ring they share
    std::string text;  // "" = the run has ended and everything was given
  };
  // Waits for output, at most until `timeout` (then nothing). One thread at a time.
  virtual std::optional<Output> next(base::Nanos timeout) = 0;
  // Bytes taken; `pipe` when nobody reads, `again` when the pipe is full, `badf` when input is not a pipe.
  virtual vfs::Io<std::size_t> write(std::string_view bytes) = 0;
  virtual void close_input() noexcept = 0;
  // The terminal of whoever looks on has this size (now).
  virtual void resize(vfs::WindowSize size) = 0;
};

class Containers {
 public:
  static base::Result<std::unique_ptr<Containers>> create(ContainersOptions options);
  ~Containers();
  Containers(const Containers&) = delete;
  Containers& operator=(const Containers&) = delete;

  // Contract 9.2, 9.3. `create` of an existing reservation leaves it as it is.
  Controlled<void> create_name(std::string_view name);
  Controlled<void> configure(std::string_view name, std::string_view json);
  Controlled<void> configure(std::string_view name, LaunchConfig config);
  Controlled<void> start(std::string_view name, const StartOptions& options = {});
  Controlled<void> stop(std::string_view name);
  Controlled<void> remove(std::string_view name);
  // The terminal in front of a running container has another size: its program reads it in /dev/winsize.
  Controlled<void> resize(std::string_view name, vfs::WindowSize size);
  // create_name, configure and start as one step: what `fusebox run` and `up` do.
  Controlled<void> launch(std::string_view name, LaunchConfig config, const StartOptions& options = {});

  // The supervisor (17.1): its configuration is the engine's own, its image comes by path.
  Controlled<void> launch_supervisor(LaunchConfig config, std::shared_ptr<const image::Image> image);

  std::optional<Status> status(std::string_view name) const;
  // Runs in slot order, then reservations without a run.
  std::vector<Status> list() const;
  // The configuration of the run, or else of the reservation, as JSON; "" for unknown names.
  std::string config_json(std::string_view name) const;

  // Until the run that is now under this name has ended and no restart is pending, or the time is up: nothing then, and for
  // unknown names. For threads that may block.
  std::optional<Status> wait(std::string_view name, base::Nanos timeout) const;
  // From now on (contract 9.6).
  EventReader events() const;
  // Changes with every event: for whoever waits through vfs::WaitSet.
  std::shared_ptr<vfs::WakeList> changes() const noexcept;

  // A further process in the namespace of a running container, with its own descriptors and outcome; it ends with the run.
  Controlled<std::uint64_t> exec(std::string_view name, const ExecOptions& options);
  std::optional<ExecStatus> exec_status(std::uint64_t id) const;
  std::optional<ExecStatus> wait_exec(std::uint64_t id, base::Nanos timeout) const;  // ended, or the time is up
  Controlled<void> stop_exec(std::uint64_t id);
  void forget_exec(std::uint64_t id);  // an ended one; the oldest are forgotten by themselves

  Controlled<std::unique_ptr<Attachment>> attach(std::string_view name);

  vfs::LogStore& logs() noexcept;
  vfs::PipePool& pipes() noexcept;
  image::Library& library() noexcept;
  const ContainersOptions& options() const noexcept;

  // Ends every run, the supervisor too, and every pending restart; no start succeeds afterwards (`canceled`). True when all
  // have ended within the time.
  bool stop_all(base::Nanos timeout);
  // For clocks that tests move by hand: deadlines are looked at now.
  void clock_moved() noexcept;

  class Core;
  Core& core() noexcept { return *core_; }

 private:
  explicit Containers(std::shared_ptr<Core> core) noexcept;
  std::shared_ptr<Core> core_;
};

}  // namespace fusebox::container
