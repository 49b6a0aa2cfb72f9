#include "capability/rate_limit.h"

#include <algorithm>

namespace fusebox::capability {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

}  // namespace

bool RateLimit::take(base::Nanos now) {
  // Above one a nanosecond the clock cannot tell tokens apart; nobody sends that fast.
  if (per_second_ == 0 || per_second_ > kSecondNs) return true;
  // Rounded up, so that the rate is never exceeded.
  const auto token_ns = static_cast<std::int64_t>((kSecondNs + per_second_ - 1) / per_second_);
  const auto bucket_ns = token_ns * static_cast<std::int64_t>(per_second_);
  const std::lock_guard lock(mutex_);
  const std::int64_t full_at = std::max(full_at_ns_, now.count());
  if (full_at + token_ns - now.count() > bucket_ns) return false;
  full_at_ns_ = full_at + token_ns;
  return true;
}

}  // namespace fusebox::capability
