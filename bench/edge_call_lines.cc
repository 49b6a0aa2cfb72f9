// Steps, imports, ticks and loads of the edge runtime.
#include <functional>
#include <string>
#include <utility>

#include "edge_host.h"
#include "edge_lines.h"

namespace fusebox::cli::bench {
namespace {

constexpr int kCalls = 2'000;    // per sample: the clock does not show, a disturbance spoils one sample
constexpr int kImports = 5'000;  // of one step
constexpr std::uint32_t kMany = 1'000;
constexpr std::uint32_t kQuotaUs = 1'000'000;    // enforced, never reached
constexpr std::uint32_t kFarUs = 3'600'000'000;  // an interval that does not elapse while this runs

// Nanoseconds of one of `calls` calls; `call` says whether it did what it should.
Variant calls_ns(std::string name, int calls, std::function<bool()> call, const Conditions& conditions) {
  return {std::move(name), [calls, call = std::move(call), &conditions](Samples& samples) -> base::Result<void> {
            bool good = true;
            const double ns = conditions.watch->time_ns([&] {
              for (int i = 0; i < calls; ++i) good &= call();
            });
            if (!good) return base::fail(edge_error("a call of the edge runtime", FUSE_ERR_MODULE_TRAP));
            samples.add(ns / calls);
            return {};
          }};
}

std::string loop_of(std::string_view body) {
  return "(loop $next " + std::string(body) +
         " (local.set $i (i32.add (local.get $i) (i32.const 1)))"
         " (br_if $next (i32.lt_u (local.get $i) (i32.const " +
         std::to_string(kImports) + "))))";
}

// A step that does one thing kImports times.
base::Result<Variant> imports_ns(std::string name, EdgeHost& host, std::string_view body,
                                 const Conditions& conditions) {
  FB_TRY(const base::Bytes wasm, edge_module(loop_of(body)));
  FB_TRY(const fuse_module_id_t id, host.add(wasm));
  return Variant{std::move(name), [&host, id, &conditions](Samples& samples) -> base::Result<void> {
                   fuse_stat_t status = FUSE_SUCCESS;
                   const double ns =
                       conditions.watch->time_ns([&] { status = fuse_rt_module_run_step(host.runtime(), id); });
                   if (status != FUSE_SUCCESS) return base::fail(edge_error("fuse_module_run_step", status));
                   samples.add(ns / kImports);
                   return {};
                 }};
}

Row with_target(Row row, double median_max) {
  row.target.median_max = median_max;
  return row;
}

}  // namespace

Rows measure_edge_step(const Conditions& conditions) {
  FB_TRY(const auto host, EdgeHost::create({}));
  FB_TRY(const auto timed_host, EdgeHost::create({.clock = true}));
  FB_TRY(const base::Bytes null, edge_module(""));
  FB_TRY(const fuse_module_id_t plain, host->add(null));
  fuse_policy_t limited{};
  limited.cpu_quota_us = kQuotaUs;
  FB_TRY(const fuse_module_id_t quota, host->add(null, limited));
  FB_TRY(const fuse_module_id_t timed, timed_host->add(null, limited));
  const auto step = [](const EdgeHost& on, fuse_module_id_t id) {
    return [runtime = on.runtime(), id] { return fuse_rt_module_run_step(runtime, id) == FUSE_SUCCESS; };
  };
  FB_TRY(Variant loop, imports_ns("empty loop", *host, "", conditions));
  FB_TRY(Variant temp, imports_ns("temperature", *host, "(drop (call $temp))", conditions));
  FB_TRY(Variant log, imports_ns("log", *host, "(call $log (i32.const 0) (i32.const 9) (i32.const 1))", conditions));
  const Variant variants[] = {calls_ns("no quota", kCalls, step(*host, plain), conditions),
                              calls_ns("quota", kCalls, step(*host, quota), conditions),
                              calls_ns("quota and timer", kCalls, step(*timed_host, timed), conditions),
                              loop,
                              temp,
                              log};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  std::vector rows = {
      with_target(row_of("edge.step", "edge: null step, no quota", "ns", taken[0]), 50),
      with_target(row_of("edge.step.quota", "edge: null step, CPU quota enforced", "ns", taken[1]), 90),
      row_of("edge.step.quota_timer", "edge: null step, CPU quota enforced, timer HAL read", "ns", taken[2]),
      with_target(row_of("edge.import.temp", "edge: guest reads the temperature", "ns", taken[4]), 15),
      with_target(row_of("edge.import.log", "edge: guest writes a log entry", "ns", taken[5]), 40),
  };
  compare(rows[1], "no quota", taken[0]);
  compare(rows[2], "no quota", taken[0]);
  compare(rows[3], "empty loop", taken[3]);
  compare(rows[4], "empty loop", taken[3]);
  return rows;
}

Rows measure_edge_tick(const Conditions& conditions) {
  FB_TRY(const base::Bytes null, edge_module(""));
  FB_TRY(const auto eight, EdgeHost::create({}));
  for (int i = 0; i < 8; ++i) FB_CHECK(eight->add(null));
  FB_TRY(const auto single, EdgeHost::create({}));
  FB_TRY(const fuse_module_id_t id, single->add(null));
  FB_TRY(const auto many, EdgeHost::create({.modules_max = kMany, .clock = true}));
  fuse_policy_t rare{};
  rare.step_interval_us = kFarUs;
  for (std::uint32_t i = 0; i + 1 < kMany; ++i) FB_CHECK(many->add(null, rare));
  FB_CHECK(many->add(null));  // the last slot is due at every tick
  fuse_rt_tick(many->runtime());
  const auto many_ticked = [runtime = many->runtime()] {
    std::uint32_t stepped = 0;
    return fuse_rt_tick_ex(runtime, nullptr, 0, &stepped) == FUSE_ERR_BUFFER_TOO_SMALL && stepped == 1;
  };
  const Variant variants[] = {
      calls_ns(
          "one step", kCalls,
          [runtime = single->runtime(), id] { return fuse_rt_module_run_step(runtime, id) == FUSE_SUCCESS; },
          conditions),
      calls_ns(
          "8 due", kCalls / 8, [runtime = eight->runtime()] { return fuse_rt_tick(runtime) == 0xff; }, conditions),
      calls_ns("1 of 1,000 due", kCalls / 8, many_ticked, conditions),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  std::vector rows = {
      with_target(row_of("edge.tick.8", "edge: tick over 8 due null modules", "ns", taken[1]), 400),
      with_target(row_of("edge.tick.1000", "edge: tick over 1,000 modules, 1 due, timer HAL read", "ns", taken[2]),
                  1'000),
  };
  for (Row& row : rows) compare(row, "one step", taken[0]);
  return rows;
}

Rows measure_edge_load(const Conditions& conditions) {
  FB_TRY(const auto host, EdgeHost::create({}));
  FB_TRY(const base::Bytes null, edge_module(""));
  const fuse_policy_t policy{};
  const auto load = [&] {
    fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
    return fuse_rt_module_load(host->runtime(), reinterpret_cast<const std::uint8_t*>(null.data()),
                               static_cast<std::uint32_t>(null.size()), &policy, &id) == FUSE_SUCCESS &&
           fuse_rt_module_unload(host->runtime(), id) == FUSE_SUCCESS;
  };
  const Variant variants[] = {{"load", [&](Samples& samples) -> base::Result<void> {
                                 bool good = false;
                                 const double ns = conditions.watch->time_ns([&] { good = load(); });
                                 if (!good) return base::fail(edge_error("fuse_module_load", FUSE_SUCCESS));
                                 samples.add(ns / 1000);
                                 return {};
                               }}};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  return std::vector{with_target(row_of("edge.load", "edge: load a known module and unload it", "µs", taken[0]), 40)};
}

}  // namespace fusebox::cli::bench
