// Measuring on a machine that does other things too: what is compared is measured in turns, round by round, so that a
// disturbance hits all alike.
//
// Google Benchmark runs one thing to its end before the next and gives no percentiles of single operations; a ratio
// of two such runs is mostly the machine's mood. Hence these few lines (docs/benchmarks.md).
//
// Threads  one thread.
// Units    nanoseconds, unless a variant says otherwise.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/bench_samples.h"

namespace fusebox::cli::bench {

inline constexpr std::size_t kRoundsMax = 100'000;  // a slip of the fingers must not measure until tomorrow

// One of several things that are compared. `sample` adds one sample or more.
struct Variant {
  std::string name;
  std::function<base::Result<void>(Samples&)> sample;
};

// Every round measures each variant once, each round starting with another one; the round before the first is thrown
// away. One Samples for each variant, in their order.
base::Result<std::vector<Samples>> interleave(std::span<const Variant> variants, std::size_t rounds);

// Times pieces of code. Reading the clock takes time itself: what a reading of nothing shows is taken off.
class Stopwatch {
 public:
  explicit Stopwatch(const base::Clock& clock);
  double clock_cost_ns() const noexcept { return clock_cost_ns_; }
  const base::Clock& clock() const noexcept { return *clock_; }

  template <class Body>
  double time_ns(Body&& body) const {
    const base::Nanos begin = clock_->monotonic();
    std::forward<Body>(body)();
    return net_ns(clock_->monotonic() - begin);
  }
  double net_ns(base::Nanos gross) const noexcept;

 private:
  const base::Clock* clock_;
  double clock_cost_ns_ = 0;
};

}  // namespace fusebox::cli::bench
