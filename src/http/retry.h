// Trying again: a few attempts with waits between them, longer each time and random, so that many callers that failed
// together do not come back together.
//
// The wait before attempt n is uniform in [0, min(cap, base * 2^(n-2))] ("full jitter").
//
// Threads  the executor's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/random.h"
#include "base/task.h"
#include "base/wait.h"

namespace fusebox::http {

// How long before the attempt behind `failures` failed ones (at least one).
inline base::Nanos retry_wait(base::Random& random, unsigned failures, base::Nanos first, base::Nanos cap) {
  base::Nanos most = std::min(first, cap);
  for (unsigned i = 1; i < failures && most < cap; ++i) most = most > cap / 2 ? cap : most * 2;
  if (most <= base::Nanos{0}) return base::Nanos{0};
  return base::Nanos{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}

// `attempt()` makes a task of a Result; it is asked for at most `attempts` times (at least once), until it succeeds or
// `should_retry(error)` says no. The last error is what the caller gets.
template <class Attempt, class ShouldRetry>
auto retry(base::Executor& executor, base::Random& random, unsigned attempts, base::Nanos first, base::Nanos cap,
           Attempt attempt, ShouldRetry should_retry) -> decltype(attempt()) {
  for (unsigned failures = 0;;) {
    auto result = co_await attempt();
    if (result) co_return std::move(result);
    ++failures;
    const bool again = failures < attempts && should_retry(std::as_const(result.error()));
    if (!again) co_return std::move(result);
    const base::Nanos wait = retry_wait(random, failures, first, cap);
    co_await base::sleep_for(executor, wait);
  }
}

}  // namespace fusebox::http
