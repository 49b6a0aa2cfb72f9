// The clocks of WASI: 0 real time, 1 monotonic, 2 and 3 CPU time of the run.
//
// Contract containers.md 15.2, rows 5 and 6
#pragma once

#include "wasi/process_impl.h"

namespace fusebox::wasi {

inline constexpr std::uint32_t kClocks = 4;
inline constexpr std::uint32_t kRealtime = 0;
inline constexpr std::uint32_t kMonotonic = 1;

inline base::Nanos time_of(const Process::Impl& process, std::uint32_t clock) noexcept {
  if (clock == kRealtime) return process.options.clock->wall();
  if (clock == kMonotonic) return process.options.clock->monotonic();
  return process.cpu_time();
}

}  // namespace fusebox::wasi
