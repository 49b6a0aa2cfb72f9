// How many bytes the sockets of one container may still move: a bucket that fills with time and holds one second's worth.
//
// Threads  any.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace fusebox::vfs {

class RateLimit {
 public:
  // `bytes_per_s` 0: no limit.
  RateLimit(std::uint64_t bytes_per_s, const base::Clock& clock)
      : rate_(static_cast<std::int64_t>(std::min<std::uint64_t>(bytes_per_s, kRateMax))),
        clock_(clock),
        left_(rate_),
        filled_at_(clock.monotonic()) {}

  // How many of `wanted` bytes may move now. A datagram moves whole when this is not 0.
  std::size_t allowance(std::size_t wanted) {
    if (rate_ == 0) return wanted;
    const std::lock_guard lock(mutex_);
    fill();
    return left_ <= 0 ? 0 : std::min(wanted, static_cast<std::size_t>(left_));
  }
  void spend(std::size_t bytes) {
    if (rate_ == 0) return;
    const std::lock_guard lock(mutex_);
    left_ -= static_cast<std::int64_t>(bytes);
  }
  // When a twentieth of a second's worth will be there: waking for every byte would cost more than it moves.
  base::Nanos next() {
    const std::lock_guard lock(mutex_);
    fill();
    const std::int64_t wanted = std::max<std::int64_t>(rate_ / 20, 1);
    const std::int64_t missing = std::max<std::int64_t>(wanted - left_, 0);
    return filled_at_ + base::Nanos{(missing * kSecond + rate_ - 1) / rate_};
  }

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;
  static constexpr std::uint64_t kRateMax = std::uint64_t{1} << 32;  // beyond any link; keeps the products in 64 bits

  void fill() {
    const base::Nanos now = clock_.monotonic();
    const std::int64_t passed = std::min<std::int64_t>((now - filled_at_).count(), kSecond);
    const std::int64_t more = rate_ * (passed / 1000) / (kSecond / 1000);
    if (more <= 0) return;  // too short for a byte: the time is kept for the next fill
    left_ = std::min(left_ + more, rate_);
    filled_at_ = now;
  }

  const std::int64_t rate_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::int64_t left_;      // guarded by mutex_; below 0 after a datagram larger than what was left
  base::Nanos filled_at_;  // guarded by mutex_
};

}  // namespace fusebox::vfs
