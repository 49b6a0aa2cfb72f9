// What is known of containers, and waiting for them.
#include <algorithm>

#include "container/config/launch_config.h"
#include "container/core/core.h"

namespace fusebox::container {
namespace {

constexpr base::Nanos kWaitMax = std::chrono::hours(24 * 365);  // no sum with the clock overflows

}  // namespace

bool Containers::Core::exists(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return records_.contains(name);
}

std::optional<State> Containers::Core::state(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return std::nullopt;
  return at->second.state();
}

Status Containers::Core::status_locked(const std::string& name, const Record& record) const {
  Status status;
  status.name = name;
  status.state = record.state();
  status.has_reservation = record.reservation.has_value();
  status.is_configured = record.reservation && record.reservation->configured;
  status.restarts = record.restart.count;
  status.restart_word = record.restart.word;
  if (!record.run) return status;
  const Run& run = *record.run;
  const bool live = is_live(run.state);
  status.has_run = true;
  status.image = run.options().shown.name;
  status.version = run.options().shown.version;
  status.id = run.options().slot;
  status.run = run.options().number;
  status.exit_code = run.exit_code;
  status.reason = run.reason;
  status.started_wall = run.started_wall;
  status.uptime = (live ? options_.clock->monotonic() : run.ended_at) - run.started;
  status.cpu_total = live ? scheduler_->cpu_time(run) : run.cpu_at_end;
  const base::Nanos kernel = live ? scheduler_->kernel_time(run) : run.kernel_at_end;
  status.cpu_user = status.cpu_total - std::min(kernel, status.cpu_total);
  status.digest = run.digest;
  const Run::Sample sample = run.sample();
  status.memory_bytes = sample.memory_bytes;
  status.memory_bytes_max = sample.memory_bytes_max;
  status.open_fds = sample.open_fds;
  status.execs = sample.execs;
  return status;
}

std::optional<Status> Containers::Core::status(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return std::nullopt;
  return status_locked(at->first, at->second);
}

std::vector<std::string> Containers::Core::names(bool runs_only) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const std::string& name : slots_) {
    if (!name.empty()) all.push_back(name);
  }
  if (runs_only) return all;
  for (const auto& [name, record] : records_) {
    if (!record.run) all.push_back(name);
  }
  return all;
}

std::vector<Status> Containers::Core::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Status> all;
  for (const std::string& name : slots_) {
    if (!name.empty()) all.push_back(status_locked(name, records_.find(name)->second));
  }
  for (const auto& [name, record] : records_) {
    if (!record.run) all.push_back(status_locked(name, record));
  }
  return all;
}

std::string Containers::Core::config_json(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return {};
  const Record& record = at->second;
  return write_launch_config(record.run || !record.reservation ? record.config : record.reservation->config);
}

std::optional<LaunchConfig> Containers::Core::run_config(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end() || !at->second.run) return std::nullopt;
  return at->second.config;
}

std::optional<Status> Containers::Core::wait(std::string_view name, base::Nanos timeout) const {
  std::unique_lock lock(mutex_);
  const auto first = records_.find(name);
  if (first == records_.end() || !first->second.run) return std::nullopt;
  Status status;
  const auto over = [&] {
    const auto at = records_.find(name);
    if (at == records_.end() || !at->second.run) return true;
    status = status_locked(at->first, at->second);
    return is_terminal(status.state) && status.restart_word != RestartWord::pending;
  };
  if (!changed_.wait_for(lock, std::min(timeout, kWaitMax), over)) return std::nullopt;
  return status;
}

}  // namespace fusebox::container
