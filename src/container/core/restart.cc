#include "container/core/restart.h"

#include <algorithm>

#include "container/core/shown.h"

namespace fusebox::container {

base::Nanos restart_delay(const RestartConfig& config, std::uint32_t consecutive, std::uint64_t chance) noexcept {
  std::uint64_t delay_ms = config.delay_ms;
  for (std::uint32_t i = 0; i < consecutive && delay_ms < config.max_delay_ms; ++i) {
    if (config.factor <= 1) break;
    delay_ms *= config.factor;
  }
  delay_ms = std::min<std::uint64_t>(delay_ms, config.max_delay_ms);
  constexpr std::int64_t kNanosPerMilli = 1'000'000;
  const std::int64_t whole = static_cast<std::int64_t>(delay_ms) * kNanosPerMilli;
  return base::Nanos{whole / 10'000 * static_cast<std::int64_t>(9'000 + chance)};
}

void Containers::Core::cancel_restart(Record& record) noexcept {
  if (record.restart.word == RestartWord::pending) record.restart.word = RestartWord::none;
  record.restart.due = vfs::WaitSet::kNever;
}

void Containers::Core::plan_restart(Record& record, const End& end) {
  const RestartConfig& config = record.config.restart;
  RestartState& restart = record.restart;
  const bool stopped = record.run->stop_requested() || end.reason == "stopped";
  const bool failed = end.state == State::failure || end.exit_code != 0;
  const bool wanted = config.policy == RestartPolicy::always || (config.policy == RestartPolicy::on_failure && failed);
  restart.due = vfs::WaitSet::kNever;
  restart.word = RestartWord::none;
  if (stopped || !wanted || closing()) return;
  const base::Nanos lasted = record.run->ended_at - record.run->started;
  if (lasted > std::chrono::milliseconds(config.reset_ms)) restart.consecutive = 0;
  if (restart.consecutive >= config.max) {
    restart.word = RestartWord::given_up;
    return;
  }
  restart.word = RestartWord::pending;
  restart.due =
      options_.clock->monotonic() + restart_delay(config, restart.consecutive, options_.random->below(kJitterSteps));
  restarts_changed_->changed();
}

base::Nanos Containers::Core::restart_due() {
  const std::lock_guard lock(mutex_);
  const base::Nanos now = options_.clock->monotonic();
  std::vector<std::string> due;
  for (const auto& [name, record] : records_) {
    if (record.restart.word == RestartWord::pending && record.restart.due <= now) due.push_back(name);
  }
  for (const std::string& name : due) restart(name, now);
  base::Nanos next = vfs::WaitSet::kNever;
  for (const auto& [name, record] : records_) {
    if (record.restart.word == RestartWord::pending) next = std::min(next, record.restart.due);
  }
  return next;
}

void Containers::Core::restart(const std::string& name, base::Nanos now) {
  const auto at = records_.find(name);
  if (at == records_.end() || !at->second.run) return;  // it lost its slot to the one before
  const Shown shown(*this, name);
  RestartState& restart = at->second.restart;
  ++restart.count;
  ++restart.consecutive;
  const StartOptions again = at->second.start;
  if (start_locked(at, again, true, {})) return;
  // The image is gone or no slot is free: that was one attempt.
  const RestartConfig& config = at->second.config.restart;
  const bool last = restart.consecutive >= config.max;
  restart.word = last ? RestartWord::given_up : RestartWord::pending;
  restart.due = last ? vfs::WaitSet::kNever
                     : now + restart_delay(config, restart.consecutive, options_.random->below(kJitterSteps));
}

}  // namespace fusebox::container
