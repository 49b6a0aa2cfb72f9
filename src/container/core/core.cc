#include "container/core/core.h"

#include <algorithm>

#include "container/config/launch_config.h"
#include "container/config/limits.h"
#include "container/core/memory_room.h"
#include "container/core/restart.h"

namespace fusebox::container {
namespace {

constexpr std::uint32_t kConsolePipesPerSlot = 3;  // contract 8.2
constexpr std::uint32_t kExecsPerSlot = 2;         // instances kept ready beyond the runs'
constexpr std::uint64_t kDescriptorsReserved =
    256;  // the engine's own, and those of a small container beside a large one

// What one container may open of all the descriptors there are.
std::uint32_t fds_max_of(std::uint64_t descriptors) noexcept {
  const std::uint64_t left = descriptors > kDescriptorsReserved ? descriptors - kDescriptorsReserved : 0;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(left, kFdsMin, kFdsMax));
}

}  // namespace

State Record::state() const noexcept {
  if (run) return run->state;
  return reservation && reservation->configured ? State::not_started : State::created;
}

base::Result<std::shared_ptr<Containers::Core>> Containers::Core::create(ContainersOptions options) {
  std::shared_ptr<Core> core(new Core(std::move(options)));
  FB_CHECK(core->begin());
  return core;
}

Containers::Core::Core(ContainersOptions options) : options_(std::move(options)) {}

base::Result<void> Containers::Core::begin() {
  const ProfileValues& profile = options_.profile;
  const std::uint64_t descriptors = options_.descriptors_max != 0 ? options_.descriptors_max : kernel_descriptors();
  options_.ceilings.fds = std::min(options_.ceilings.fds, fds_max_of(descriptors));
  events_ = std::make_shared<EventLog>(*options_.clock);
  logs_ =
      std::make_shared<vfs::LogStore>(vfs::LogStoreOptions{profile.max_wapps, profile.log_bytes, profile.name_bytes});
  pipes_ = vfs::PipePool::create({profile.pipes, profile.pipe_bytes, kConsolePipesPerSlot * profile.max_wapps});
  const std::uint32_t instances =
      options_.instances_pooled != 0 ? options_.instances_pooled : profile.max_wapps * kExecsPerSlot;
  programs_ = std::make_unique<Programs>(options_.code_cache, instances);
  slots_.resize(profile.max_wapps);
  for (std::uint32_t slot = 0; slot < profile.max_wapps; ++slot) free_slots_.insert(free_slots_.end(), slot);
  SchedulerOptions scheduler;
  scheduler.workers = options_.workers;
  scheduler.threads_max = std::max(scheduler.threads_max, profile.max_wapps) + scheduler.workers + 1;
  FB_TRY(scheduler_, Scheduler::create(scheduler, *options_.clock));
  lookups_ = std::make_shared<vfs::Lookups>(offload());
  restart_task_ = std::make_shared<RestartTask>(*this);
  scheduler_->start(restart_task_);
  return {};
}

Containers::Core::~Core() {
  if (!scheduler_) return;
  stop_all(base::Nanos::max());
  restarts_changed_->changed();
  scheduler_.reset();
}

vfs::Offload Containers::Core::offload() {
  return [scheduler = scheduler_.get()](std::unique_ptr<std::function<void()>> work) {
    scheduler->offload(std::move(work));
  };
}

base::Result<std::shared_ptr<vfs::VolumeStore>> Containers::Core::volumes() {
  const std::lock_guard lock(volumes_mutex_);
  if (!volumes_) {
    FB_TRY(volumes_, vfs::VolumeStore::open(options_.data_dir));
  }
  return volumes_;
}

image::Limits Containers::Core::image_limits() const {
  image::Limits limits;
  limits.layers_max = options_.profile.layers_max;
  limits.image_bytes_max = options_.profile.image_bytes_max;
  limits.name_bytes_max = options_.profile.name_bytes;
  return limits;
}

ProcView Containers::Core::proc_view(const LaunchConfig& config) const noexcept {
  if (config.proc != ProcView::by_privilege) return config.proc;
  return options_.privileged ? ProcView::all : ProcView::none;
}

void Containers::Core::message(std::string_view line) {
  if (!options_.message) return;
  const std::lock_guard lock(message_mutex_);
  options_.message(line);
}

void Containers::Core::registry_changed(std::string_view reference, std::string_view what) {
  events_->add("reg", reference, what, "-");
}

bool Containers::Core::valid_name(std::string_view name) const noexcept {
  const auto reference = image::parse_reference(name, options_.profile.name_bytes);
  return reference && reference->version.empty() && name.find(':') == std::string_view::npos;
}

std::uint32_t Containers::Core::live_count() const noexcept {
  return static_cast<std::uint32_t>(std::ranges::count_if(records_, [](const auto& one) { return one.second.live(); }));
}

void Containers::Core::run_started(Run& run, const base::Sha256& digest) {
  {
    const std::lock_guard lock(mutex_);
    run.digest = digest;
    run.state = State::running;
    events_->add(run.name(), to_string(State::starting), to_string(State::running), "-");
  }
  changed_.notify_all();
}

void Containers::Core::run_ended(Run& run, End end) {
  if (!end.message.empty()) message("wapp '" + run.name() + "'" + end.message);
  {
    const std::lock_guard lock(mutex_);
    const State before = run.state;
    run.ended_at = options_.clock->monotonic();
    run.cpu_at_end = scheduler_->cpu_time(run);
    run.kernel_at_end = scheduler_->kernel_time(run);
    run.end_order = next_end_++;
    run.exit_code = end.exit_code;
    run.reason = end.reason;
    run.state = end.state;
    const auto at = records_.find(run.name());
    // Its record holds another run only when this one had ended before.
    if (at != records_.end() && at->second.run.get() == &run) plan_restart(at->second, end);
    events_->add(run.name(), to_string(before), to_string(end.state), end.reason);
  }
  changed_.notify_all();
}

bool Containers::Core::stop_all(base::Nanos timeout) {
  std::unique_lock lock(mutex_);
  closing_ = true;
  for (auto& [name, record] : records_) {
    cancel_restart(record);
    if (record.live()) record.run->request_stop();
  }
  restarts_changed_->changed();
  const auto none_live = [this] { return live_count() == 0; };
  if (timeout == base::Nanos::max()) {
    changed_.wait(lock, none_live);
    return true;
  }
  return changed_.wait_for(lock, timeout, none_live);
}

}  // namespace fusebox::container
