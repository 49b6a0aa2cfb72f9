#include <cmath>
#include <string>
#include <utility>

#include "cli/bench_bare_timer.h"
#include "cli/bench_variants.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::chrono::nanoseconds kBudget = std::chrono::milliseconds{1};
constexpr std::chrono::nanoseconds kSoon = std::chrono::microseconds{20};
constexpr std::int32_t kCountIterations =
    100'000;  // some 50 us: long enough for the timer of the call before to fire in it

double microseconds(base::Nanos time) {
  return static_cast<double>(time.count()) / 1000;
}

engine::EngineOptions options(engine::Stopping stopping) {
  return engine_options(engine::Profile::fast, stopping);
}

// A guest that never returns is called once: afterwards its instance is of no use.
Variant stop_spinning(std::string name, const std::shared_ptr<const engine::Program>& program,
                      engine::CallBudget budget, engine::Limit expected, std::function<base::Nanos()> now) {
  return {std::move(name), [&program, budget, expected, now = std::move(now)](Samples& samples) -> base::Result<void> {
            FB_TRY(Guest guest, Guest::create(program, "spin"));
            const base::Nanos begin = now();
            const bool completed = guest.instance().call_fast(guest.function(), nullptr, budget);
            const base::Nanos late = now() - begin - kBudget;
            const engine::Outcome outcome = guest.instance().take_outcome();
            const auto* stopped = std::get_if<engine::Stopped>(&outcome.how);
            if (completed || stopped == nullptr || stopped->limit != expected) {
              return base::fail(base::Errc::bug, "a spinning guest ended otherwise: " + outcome.message());
            }
            samples.add(microseconds(late));
            return {};
          }};
}

base::Result<std::int64_t> ticks_of(Guest& guest, const engine::CallBudget& budget) {
  FB_CHECK(guest.call(kCountIterations, budget));
  return guest.instance().ticks_spent();
}

// One tick less than the work needs must stop it.
base::Result<void> check_stops_before(const std::shared_ptr<const engine::Program>& program, std::int64_t needed) {
  FB_TRY(Guest guest, Guest::create(program, "count"));
  engine::RawValue value{};
  value.i32 = kCountIterations;
  if (guest.instance().call_fast(guest.function(), &value, {.wall = kFarLimit, .ticks = needed - 1})) {
    return base::fail(base::Errc::bug,
                      "a guest that needs " + std::to_string(needed) + " ticks completed with one less");
  }
  const engine::Outcome outcome = guest.instance().take_outcome();
  const auto* stopped = std::get_if<engine::Stopped>(&outcome.how);
  if (stopped != nullptr && stopped->limit == engine::Limit::ticks && guest.instance().ticks_spent() < needed)
    return {};
  return base::fail(base::Errc::bug, "a guest out of ticks ended otherwise: " + outcome.message());
}

}  // namespace

Rows measure_stop_lateness(const Conditions& conditions) {
  FB_TRY(const auto timed, program_of(options(engine::Stopping::time), kCallsGuest));
  FB_TRY(const auto counted, program_of(options(engine::Stopping::ticks), kCallsGuest));
  FB_TRY(const auto bare, BareTimer::create());
  const base::Clock& clock = conditions.watch->clock();
  const auto cpu_now = [&clock] { return clock.thread_cpu(); };
  const auto wall_now = [&clock] { return clock.monotonic(); };
  const Variant variants[] = {
      {"bare timer",
       [&](Samples& samples) -> base::Result<void> {
         FB_TRY(const base::Nanos late, bare->lateness(clock, kBudget));
         samples.add(microseconds(late));
         return {};
       }},
      stop_spinning("CPU time", timed, {.cpu = kBudget}, engine::Limit::cpu_time, cpu_now),
      stop_spinning("CPU time, ticks counted", counted, {.cpu = kBudget}, engine::Limit::cpu_time, cpu_now),
      stop_spinning("wall time", timed, {.wall = kBudget}, engine::Limit::wall_time, wall_now),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  std::vector rows = {
      row_of("stop.late.cpu", "stop a spinning guest: CPU time beyond its budget", "µs", taken[1]),
      row_of("stop.late.cpu_ticks", "stop a spinning guest: CPU time beyond its budget, ticks counted", "µs", taken[2]),
      row_of("stop.late.wall", "stop a spinning guest: late after its wall-time limit", "µs", taken[3]),
  };
  for (Row& row : rows) compare(row, "bare signal timer", taken[0]);
  for (Row* row : {&rows[0], &rows[1]}) {
    row->target = {.median_max = 25, .p99_max = 50, .ratio_max = 1.5, .ratio_min = {}};
  }
  rows[0].note = "p99 of the bare signal timer " + number_text(taken[0].p99()) + " µs";
  return rows;
}

// Every round spends the same ticks, also while the timer that an earlier, shorter limit armed fires inside it.
Rows measure_stop_exactness(const Conditions& conditions) {
  FB_TRY(const auto program, program_of(options(engine::Stopping::ticks), kCallsGuest));
  FB_TRY(Guest null, Guest::create(program, "null"));
  FB_TRY(Guest count, Guest::create(program, "count"));
  FB_TRY(const std::int64_t needed, ticks_of(count, {}));
  const Variant variants[] = {{"ticks", [&](Samples& samples) -> base::Result<void> {
                                 FB_CHECK(null.call(0, {.wall = kSoon}));
                                 FB_TRY(const std::int64_t spent,
                                        ticks_of(count, {.wall = kFarLimit, .ticks = needed}));
                                 samples.add(std::abs(static_cast<double>(spent - needed)));
                                 return check_stops_before(program, needed);
                               }}};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  Row row = row_of("stop.ticks", "ticks of equal work: deviation, with timers firing inside", "ticks", taken[0]);
  row.target = {.median_max = 0, .p99_max = 0, .ratio_max = {}, .ratio_min = {}};
  row.note = std::to_string(needed) + " ticks needed; that budget completes, one less is stopped";
  return std::vector{row};
}

}  // namespace fusebox::cli::bench
