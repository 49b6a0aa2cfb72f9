// One account of processor time, wall time and ticks for all the calls of one execution: start function, `_initialize`,
// allocator, entry, result length and release (contract capability.md 2.1).
//
// Threads  the execution's thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "engine/engine.h"
#include "policy/policy.h"

namespace fusebox::capability {

class Budget {
 public:
  Budget(const policy::Limits& limits, const base::Clock& clock) noexcept;

  // What the next call may spend, or which limit leaves it nothing. `host_cpu` is what host functions used so far.
  struct Next {
    engine::CallBudget budget;
    std::optional<engine::Limit> used_up;
  };
  Next next(base::Nanos host_cpu) const noexcept;
  void add_ticks(std::int64_t ticks) noexcept { ticks_ += static_cast<std::uint64_t>(ticks < 0 ? 0 : ticks); }

  std::uint64_t ticks() const noexcept { return ticks_; }
  base::Nanos wall() const noexcept { return clock_.monotonic() - wall_start_; }
  // Reads the thread's CPU clock.
  base::Nanos cpu(base::Nanos host_cpu) const noexcept;

 private:
  const base::Clock& clock_;
  base::Nanos cpu_limit_;
  base::Nanos wall_limit_;
  std::uint64_t tick_limit_;
  base::Nanos wall_start_;
  base::Nanos cpu_start_;
  std::uint64_t ticks_ = 0;
};

}  // namespace fusebox::capability
