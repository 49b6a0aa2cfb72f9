#include "cli/bench_harness.h"

#include <algorithm>

namespace fusebox::cli::bench {
namespace {

constexpr int kClockReadings = 1001;

double cost_of_reading_ns(const base::Clock& clock) {
  Samples readings;
  for (int i = 0; i < kClockReadings; ++i) {
    const base::Nanos begin = clock.monotonic();
    readings.add(static_cast<double>((clock.monotonic() - begin).count()));
  }
  return readings.median();
}

}  // namespace

base::Result<std::vector<Samples>> interleave(std::span<const Variant> variants, std::size_t rounds) {
  if (rounds == 0 || rounds > kRoundsMax) {
    return base::fail(base::Errc::invalid, "benchmark rounds are " + std::to_string(rounds) + "; allowed are 1 to " +
                                               std::to_string(kRoundsMax));
  }
  std::vector<Samples> taken(variants.size());
  for (const Variant& variant : variants) {
    Samples thrown_away;
    FB_CHECK(base::within(variant.name, variant.sample(thrown_away)));
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < variants.size(); ++turn) {
      const std::size_t which = (round + turn) % variants.size();
      FB_CHECK(base::within(variants[which].name, variants[which].sample(taken[which])));
    }
  }
  return taken;
}

Stopwatch::Stopwatch(const base::Clock& clock) : clock_(&clock), clock_cost_ns_(cost_of_reading_ns(clock)) {}

double Stopwatch::net_ns(base::Nanos gross) const noexcept {
  return std::max(0.0, static_cast<double>(gross.count()) - clock_cost_ns_);
}

}  // namespace fusebox::cli::bench
