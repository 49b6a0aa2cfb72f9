#include <utility>

#include "cli/bench_variants.h"

namespace fusebox::cli::bench {
namespace {

// Long enough that reading the clock does not show, short enough that a disturbance spoils one sample and not all.
constexpr std::int32_t kGuestIterations = 5'000;

Variant guest_loop(std::string name, Guest& guest, const Conditions& conditions) {
  return {std::move(name), [&guest, &conditions](Samples& samples) -> base::Result<void> {
            base::Result<engine::RawValue> result;
            const double ns =
                conditions.watch->time_ns([&] { result = guest.call(kGuestIterations, {.wall = kFarLimit}); });
            FB_CHECK(std::move(result));
            samples.add(ns / kGuestIterations);
            return {};
          }};
}

}  // namespace

Rows measure_guest_to_host(const Conditions& conditions) {
  const auto options = engine_options(engine::Profile::fast, engine::Stopping::ticks);
  FB_TRY(const auto program, program_of(options, kCallsGuest));
  FB_TRY(Guest empty, Guest::create(program, "empty"));
  FB_TRY(Guest calls, Guest::create(program, "calls"));
  FB_TRY(Guest calls_two, Guest::create(program, "calls_two"));
  const Variant variants[] = {guest_loop("empty loop", empty, conditions),
                              guest_loop("no arguments", calls, conditions),
                              guest_loop("2 x i32", calls_two, conditions)};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  Row none = row_of("call.guest_to_host", "guest→host call, no arguments", "ns", taken[1]);
  Row two = row_of("call.guest_to_host.two", "guest→host call, 2×i32", "ns", taken[2]);
  for (Row* row : {&none, &two}) {
    row->target.median_max = 12;
    compare(*row, "empty loop", taken[0]);
  }
  return std::vector{none, two};
}

Rows measure_host_to_guest(const Conditions& conditions) {
  const auto options = engine_options(engine::Profile::fast, engine::Stopping::ticks);
  FB_TRY(const auto program, program_of(options, kCallsGuest));
  FB_TRY(Guest guest, Guest::create(program, "null"));
  const Variant variants[] = {
      null_calls_ns("no limit", guest, {}, conditions),
      null_calls_ns("wall limit", guest, {.wall = kFarLimit}, conditions),
      null_calls_ns("CPU limit and ticks", guest, {.cpu = kFarLimit, .ticks = 1'000'000}, conditions),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  Row wall = row_of("call.host_to_guest", "host→guest null call, time limit enforced", "ns", taken[1]);
  wall.target.median_max = 80;
  compare(wall, "no limit", taken[0]);
  Row cpu = row_of("call.host_to_guest.cpu", "host→guest null call, CPU time and ticks enforced", "ns", taken[2]);
  compare(cpu, "no limit", taken[0]);
  return std::vector{wall, cpu};
}

}  // namespace fusebox::cli::bench
