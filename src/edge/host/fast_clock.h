// Monotonic nanoseconds as cheaply as this machine gives them: the processor's own counter where it never changes pace,
// else the system's clock.
//
// Threads  any. The first reading of a process measures the counter's pace, for two milliseconds.
// Units    nanoseconds since an arbitrary time.
#pragma once

#include <cstdint>

namespace fusebox::edge {

class FastClock {
 public:
  // Of this process. The same on every call.
  static const FastClock& get() noexcept;

  std::uint64_t now_ns() const noexcept;
  bool counts_cycles() const noexcept { return nanos_per_cycle_ != 0; }

 private:
  FastClock() noexcept;

  std::uint64_t cycles_start_ = 0;
  std::uint64_t nanos_start_ = 0;
  std::uint64_t nanos_per_cycle_ = 0;  // with 32 binary digits after the point; 0 = the system's clock
};

}  // namespace fusebox::edge
