// The seam for time. Nothing outside `base` and the stop timer of `engine` reads a clock of the system.
//
// Threads  RealClock: any thread. ManualClock: any thread; it moves only when told.
// Units    nanoseconds. Monotonic time has no epoch; wall time counts from 1970-01-01 UTC.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::base {

using Nanos = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos monotonic() const noexcept = 0;
  virtual Nanos wall() const noexcept = 0;        // since the Unix epoch, UTC
  virtual Nanos thread_cpu() const noexcept = 0;  // CPU time of the calling thread
};

class RealClock final : public Clock {
 public:
  Nanos monotonic() const noexcept override;
  Nanos wall() const noexcept override;
  Nanos thread_cpu() const noexcept override;
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Nanos wall_start = std::chrono::seconds{1'700'000'000}) noexcept : wall_start_(wall_start) {}
  void advance(Nanos by) noexcept { now_ns_.fetch_add(by.count()); }
  void set_wall(Nanos wall) noexcept;  // wall time may jump, also backwards; monotonic time does not move
  Nanos monotonic() const noexcept override { return Nanos{now_ns_.load()}; }
  Nanos wall() const noexcept override;
  Nanos thread_cpu() const noexcept override { return Nanos{now_ns_.load()}; }

 private:
  std::atomic<std::int64_t> now_ns_{0};
  Nanos wall_start_;
  std::atomic<std::int64_t> wall_shift_ns_{0};
};

// RFC 3339, UTC, microseconds: "2026-11-21T15:33:00.000001Z".
std::string format_rfc3339(Nanos wall);
// Accepts any RFC 3339 time with an offset; sub-nanosecond digits are dropped.
Result<Nanos> parse_rfc3339(std::string_view text);

}  // namespace fusebox::base
