// At most so many actions per second, with as many at once: a token bucket on the seam for time.
//
// Threads  any thread.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace fusebox::capability {

class RateLimit {
 public:
  explicit RateLimit(std::uint64_t per_second) noexcept : per_second_(per_second) {}  // 0 = off
  // Takes a token if there is one.
  bool take(base::Nanos now);

 private:
  const std::uint64_t per_second_;
  std::mutex mutex_;
  std::int64_t full_at_ns_ = INT64_MIN / 2;  // guarded by mutex_: when the bucket will be full again
};

}  // namespace fusebox::capability
