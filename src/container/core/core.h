// The records of an engine and all its containers share. Internal to src/container; containers.h is its outside.
//
// Locks    mutex_ guards records, slots and the runs' states. Under it runs and the scheduler may be asked, never the other
//          way round. Image stores are asked under it as well: a start is one step.
// Threads  any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "container/config/options.h"
#include "container/containers.h"
#include "container/core/end.h"
#include "container/core/exec.h"
#include "container/core/programs.h"
#include "container/core/run.h"
#include "container/scheduler/scheduler.h"
#include "vfs/net/lookups.h"
#include "vfs/net/socket_mount.h"
#include "vfs/volume/volume_store.h"

namespace fusebox::container {

class RestartTask;

struct Reservation {
  bool configured = false;
  LaunchConfig config;
};

struct RestartState {
  std::uint32_t count = 0;        // restarts in all
  std::uint32_t consecutive = 0;  // without a run longer than resetMs between
  RestartWord word = RestartWord::none;
  base::Nanos due = vfs::WaitSet::kNever;  // monotonic
};

struct Record {
  std::optional<Reservation> reservation;
  std::shared_ptr<Run> run;
  LaunchConfig config;  // of the run as it was given, for restarts
  StartOptions start;   // the same; its descriptors are not kept
  RestartState restart;

  State state() const noexcept;  // the token that shows; meaningless without reservation and run
  bool live() const noexcept { return run && is_live(run->state); }
};

class Containers::Core : public std::enable_shared_from_this<Core> {
 public:
  static base::Result<std::shared_ptr<Core>> create(ContainersOptions options);
  ~Core();

  // Verbs; the nodes' and the command line's.
  Controlled<void> create_name(std::string_view name);
  Controlled<void> configure(std::string_view name, LaunchConfig config);
  // Why a configuration is more than the caller may give; "" when it is not. One that nobody has written it may narrow.
  using Exceeds = std::function<std::string(LaunchConfig&, bool written)>;
  Controlled<void> start(std::string_view name, const StartOptions& options, const Exceeds& exceeds = {});
  Controlled<void> stop(std::string_view name);
  Controlled<void> remove(std::string_view name);
  Controlled<void> resize(std::string_view name, vfs::WindowSize size);
  Controlled<void> launch_now(std::string_view name, LaunchConfig config, const StartOptions& options);
  Controlled<void> launch_supervisor(LaunchConfig config, std::shared_ptr<const image::Image> image);

  bool exists(std::string_view name) const;
  std::optional<State> state(std::string_view name) const;
  std::optional<Status> status(std::string_view name) const;
  std::vector<Status> list() const;
  std::vector<std::string> names(bool runs_only) const;  // slot order, then reservations
  std::string config_json(std::string_view name) const;
  std::optional<LaunchConfig> run_config(std::string_view name) const;
  std::optional<Status> wait(std::string_view name, base::Nanos timeout) const;

  Controlled<std::uint64_t> exec(std::string_view name, const ExecOptions& options);
  std::optional<ExecStatus> exec_status(std::uint64_t id) const;
  std::optional<ExecStatus> wait_exec(std::uint64_t id, base::Nanos timeout) const;
  Controlled<void> stop_exec(std::uint64_t id);
  void forget_exec(std::uint64_t id);
  void exec_ended();

  // Of runs and the restart task.
  void run_started(Run& run, const base::Sha256& digest);
  void run_ended(Run& run, End end);
  base::Nanos restart_due();  // starts what is due; when the next is
  const std::shared_ptr<vfs::WakeList>& restarts_changed() const noexcept { return restarts_changed_; }

  bool stop_all(base::Nanos timeout);
  bool closing() const noexcept { return closing_.load(); }

  const ContainersOptions& options() const noexcept { return options_; }
  Scheduler& scheduler() noexcept { return *scheduler_; }
  Programs& programs() noexcept { return *programs_; }
  const std::shared_ptr<vfs::LogStore>& logs() const noexcept { return logs_; }
  const std::shared_ptr<vfs::PipePool>& pipes() const noexcept { return pipes_; }
  const std::shared_ptr<EventLog>& events() const noexcept { return events_; }
  vfs::Offload offload();
  const std::shared_ptr<vfs::Lookups>& lookups() const noexcept { return lookups_; }
  // Opened, and its folder made, when the first volume is mounted.
  base::Result<std::shared_ptr<vfs::VolumeStore>> volumes();
  image::Limits image_limits() const;
  ProcView proc_view(const LaunchConfig& config) const noexcept;
  void message(std::string_view line);
  void registry_changed(std::string_view reference, std::string_view what);
  bool valid_name(std::string_view name) const noexcept;

 private:
  using Records = std::map<std::string, Record, std::less<>>;
  explicit Core(ContainersOptions options);
  base::Result<void> begin();

  Controlled<void> start_locked(Records::iterator at, const StartOptions& options, bool restarting,
                                const Exceeds& exceeds);
  Controlled<std::optional<image::Entry>> resolve(std::string_view name, const StartOptions& options,
                                                  const LaunchConfig& config);
  void restart(const std::string& name, base::Nanos now);
  // Where a run would go, and whose terminal run would make room for it (end() = nobody's).
  struct SlotChoice {
    std::uint32_t slot;
    Records::iterator dropped;
  };
  std::optional<SlotChoice> find_slot(Records::iterator at);
  std::uint32_t take_slot(const SlotChoice& choice);
  bool has_memory_for_a_run(const LimitsConfig& limits) const;
  void begin_run(Records::iterator at, std::uint32_t slot, RunOptions options);
  void drop_run(Records::iterator at);  // of a terminal run; the name goes when nothing is left
  void consume(Records::iterator at);
  void reserve(Record& record, std::optional<Reservation> reservation);
  void plan_restart(Record& record, const End& end);
  void cancel_restart(Record& record) noexcept;
  std::uint32_t live_count() const noexcept;
  Status status_locked(const std::string& name, const Record& record) const;
  // Emits an event when the token that shows has changed.
  class Shown;

  ContainersOptions options_;
  std::mutex message_mutex_;
  std::mutex volumes_mutex_;
  std::shared_ptr<vfs::VolumeStore> volumes_;  // guarded by volumes_mutex_
  std::shared_ptr<EventLog> events_;
  std::shared_ptr<vfs::LogStore> logs_;
  std::shared_ptr<vfs::PipePool> pipes_;
  std::shared_ptr<vfs::Lookups> lookups_;
  std::unique_ptr<Programs> programs_;
  std::shared_ptr<vfs::WakeList> restarts_changed_ = std::make_shared<vfs::WakeList>();
  std::atomic<bool> closing_{false};

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Records records_;                 // guarded by mutex_, as all below
  std::vector<std::string> slots_;  // by slot: whose run has it, "" = nobody's
  std::set<std::uint32_t> free_slots_;
  std::uint32_t reserved_ = 0;  // records with a reservation
  std::uint64_t next_run_ = 1;
  std::uint64_t next_end_ = 1;
  std::uint64_t next_exec_ = 1;
  std::map<std::uint64_t, std::shared_ptr<ExecTask>> execs_;
  std::shared_ptr<RestartTask> restart_task_;
  std::unique_ptr<Scheduler> scheduler_;  // last: its threads use all of the above
};

}  // namespace fusebox::container
