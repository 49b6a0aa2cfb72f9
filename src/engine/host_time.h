// Keeps a host function's time out of the guest's CPU account (contract capability.md 2.1). Wall time runs on.
//
//   HostTime time(context, HostTime::Clock::thread_cpu);  // until the end of the scope
//
// Owner    borrows the call; must end before the host function returns. A second one inside another does nothing.
// Threads  the thread that runs the host function.
#pragma once

#include <cstdint>

#include "engine/engine.h"

namespace fusebox::engine {

struct CallSlot;

class HostTime {
 public:
  enum class Clock : std::uint8_t {
    monotonic,   // 25 ns a reading: for functions that compute for microseconds and never wait
    thread_cpu,  // 400 ns: for functions that may block; waiting then neither costs the guest CPU time nor gives it any
  };
  HostTime(HostContext& context, Clock clock) noexcept;
  HostTime(const HostTime&) = delete;
  HostTime& operator=(const HostTime&) = delete;
  ~HostTime();

 private:
  CallSlot* slot_ = nullptr;  // null when an outer one counts already
  Clock clock_;
};

}  // namespace fusebox::engine
