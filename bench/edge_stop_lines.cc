// How late a spinning step is stopped, and whether its neighbours notice.
#include <atomic>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <utility>

#include "cli/bench_bare_timer.h"
#include "edge_host.h"
#include "edge_lines.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::uint32_t kQuotaUs = 1'000;
constexpr std::uint32_t kPeriodUs = 1'000;
constexpr int kPeriods = 2'000;
constexpr std::string_view kSpin = "(loop $for_ever (br $for_ever))";

fuse_policy_t with_quota() {
  fuse_policy_t policy{};
  policy.cpu_quota_us = kQuotaUs;
  return policy;
}

// A step that overran is reset and started again: the next sample.
base::Result<void> start_again(const EdgeHost& host, fuse_module_id_t id) {
  if (const fuse_stat_t status = fuse_rt_module_reset(host.runtime(), id); status != FUSE_SUCCESS) {
    return base::fail(edge_error("fuse_module_reset", status));
  }
  const fuse_stat_t status = fuse_rt_module_start(host.runtime(), id);
  return status == FUSE_SUCCESS ? base::Result<void>{} : base::fail(edge_error("fuse_module_start", status));
}

std::uint64_t now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

// Ticks two periodic modules, polling; by how many microseconds each start was off its period.
base::Result<void> add_periods(const EdgeHost& host, Samples& samples) {
  std::uint64_t last_us = 0;
  for (int seen = 0; seen < kPeriods;) {
    const std::uint64_t before_us = now_us();
    const std::uint32_t stepped = fuse_rt_tick(host.runtime());
    if (stepped == 0) continue;
    if (last_us != 0 && seen > 0) {
      samples.add(std::abs(static_cast<double>(before_us - last_us) - kPeriodUs));
    }
    last_us = before_us;
    ++seen;
  }
  return {};
}

base::Result<std::unique_ptr<EdgeHost>> two_periodic(const base::Bytes& null) {
  FB_TRY(auto host, EdgeHost::create({.clock = true}));
  fuse_policy_t policy = with_quota();
  policy.step_interval_us = kPeriodUs;
  fuse_policy_ext_t drift_free{};
  drift_free.size = sizeof drift_free;
  drift_free.flags = FUSE_EXT_DRIFT_FREE;
  FB_CHECK(host->add(null, policy, &drift_free));
  return host;
}

}  // namespace

Rows measure_edge_stop(const Conditions& conditions) {
  FB_TRY(const auto host, EdgeHost::create({}));
  FB_TRY(const base::Bytes spin, edge_module(kSpin));
  FB_TRY(const fuse_module_id_t id, host->add(spin, with_quota()));
  FB_TRY(const auto bare, BareTimer::create());
  const base::Clock& clock = conditions.watch->clock();
  const Variant variants[] = {
      {"bare timer",
       [&](Samples& samples) -> base::Result<void> {
         FB_TRY(const base::Nanos late, bare->lateness(clock, std::chrono::microseconds{kQuotaUs}));
         samples.add(static_cast<double>(late.count()) / 1000);
         return {};
       }},
      {"spinning step",
       [&](Samples& samples) -> base::Result<void> {
         const base::Nanos begin = clock.thread_cpu();
         const fuse_stat_t status = fuse_rt_module_run_step(host->runtime(), id);
         const base::Nanos late = clock.thread_cpu() - begin - std::chrono::microseconds{kQuotaUs};
         if (status != FUSE_ERR_QUOTA_EXCEEDED) return base::fail(edge_error("a spinning step", status));
         samples.add(static_cast<double>(late.count()) / 1000);
         return start_again(*host, id);
       }},
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  Row row = row_of("edge.stop", "edge: spinning step, CPU time beyond its quota", "µs", taken[1]);
  row.target = {.median_max = {}, .p99_max = 50, .ratio_max = 1.5, .ratio_min = {}};
  row.note = "p99 of the bare signal timer " + number_text(taken[0].p99()) + " µs";
  compare(row, "bare signal timer", taken[0]);
  return std::vector{row};
}

// The spinning module runs in a runtime of its own on another thread and is stopped and started without end: what the two
// share is the process, with its signals and timers.
Rows measure_edge_period(const Conditions&) {
  FB_TRY(const base::Bytes null, edge_module(""));
  FB_TRY(const base::Bytes spin, edge_module(kSpin));
  FB_TRY(const auto host, two_periodic(null));
  Samples alone;
  FB_CHECK(add_periods(*host, alone));

  FB_TRY(const auto other, EdgeHost::create({}));
  FB_TRY(const fuse_module_id_t id, other->add(spin, with_quota()));
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> stops{0};
  Samples beside;
  {
    std::jthread spinner([&] {
      while (!over.load()) {
        if (fuse_rt_module_run_step(other->runtime(), id) != FUSE_ERR_QUOTA_EXCEEDED || !start_again(*other, id)) break;
        ++stops;
      }
    });
    const base::Result<void> done = add_periods(*host, beside);
    over = true;
    FB_CHECK(done);
  }
  Row row = row_of("edge.period", "edge: a 1 ms period beside a spinning module: off by", "µs", beside);
  row.target.p99_max = 100;
  row.note = std::to_string(stops.load()) + " stops meanwhile; alone p99 " + number_text(alone.p99()) + " µs";
  compare(row, "alone", alone);
  return std::vector{row};
}

}  // namespace fusebox::cli::bench
