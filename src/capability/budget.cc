#include "capability/budget.h"

#include <algorithm>

namespace fusebox::capability {
namespace {

// Reading a thread's CPU clock costs 400 ns, the monotonic clock 23 ns. Below this, wall time stands in for processor
// time between two calls: it is never less, and by at most this much more.
constexpr base::Nanos kWallForCpuMax{100'000};

base::Nanos clamp_ns(std::uint64_t ns) noexcept {
  return base::Nanos{static_cast<std::int64_t>(std::min<std::uint64_t>(ns, INT64_MAX))};
}

}  // namespace

Budget::Budget(const policy::Limits& limits, const base::Clock& clock) noexcept
    : clock_(clock),
      cpu_limit_(clamp_ns(limits.cpu_limit_ns())),
      wall_limit_(clamp_ns(limits.wall_limit_ns())),
      tick_limit_(limits.ticks),
      wall_start_(clock.monotonic()),
      cpu_start_(clock.thread_cpu()) {}

base::Nanos Budget::cpu(base::Nanos host_cpu) const noexcept {
  return std::max(clock_.thread_cpu() - cpu_start_ - host_cpu, base::Nanos{0});
}

Budget::Next Budget::next(base::Nanos host_cpu) const noexcept {
  const base::Nanos elapsed = wall();
  const base::Nanos used = elapsed <= kWallForCpuMax ? elapsed : cpu(host_cpu);
  Next next;
  next.budget.wall = wall_limit_ - elapsed;
  next.budget.cpu = cpu_limit_ - used;
  if (tick_limit_ != 0) {
    const std::uint64_t left = tick_limit_ - std::min(ticks_, tick_limit_);
    next.budget.ticks = static_cast<std::int64_t>(std::min<std::uint64_t>(left, engine::kTicksMax));
    if (left == 0) next.used_up = engine::Limit::ticks;
  }
  if (next.budget.cpu <= base::Nanos{0}) next.used_up = engine::Limit::cpu_time;
  if (next.budget.wall <= base::Nanos{0}) next.used_up = engine::Limit::wall_time;
  return next;
}

}  // namespace fusebox::capability
