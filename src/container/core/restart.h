// The one task that waits for pending restarts (contract 16.3). Internal to src/container.
#pragma once

#include "container/core/core.h"

namespace fusebox::container {

class RestartTask final : public Task {
 public:
  explicit RestartTask(Containers::Core& core) noexcept : core_(core) {}
  Turn turn() override {
    waits_.clear();
    const std::uint64_t seen = core_.restarts_changed()->version();
    if (core_.closing()) return Turn::done;
    waits_.until(core_.restart_due());
    waits_.changed(core_.restarts_changed(), seen);
    return Turn::wait;
  }
  const vfs::WaitSet& waits() const override { return waits_; }

 private:
  Containers::Core& core_;
  vfs::WaitSet waits_;
};

inline constexpr std::uint64_t kJitterSteps = 2'001;  // -10 % to +10 % in hundredths
// delayMs x factor^k, at most maxDelayMs, changed by at most 10 % either way. `chance` in [0, 2000].
base::Nanos restart_delay(const RestartConfig& config, std::uint32_t consecutive, std::uint64_t chance) noexcept;

}  // namespace fusebox::container
