#include "cli/bench_variants.h"
#include "cli/wat.h"
#include "heavy_lines.h"
#include "wasmtime_raw.h"

namespace fusebox::cli::bench {
namespace {

using engine::Profile;
using engine::Stopping;

base::Result<std::vector<Row>> measure_lives(const Conditions& conditions) {
  auto on_demand = engine_options(Profile::dense, Stopping::ticks);
  on_demand.pool_instances = 0;
  FB_TRY(const auto fast, program_of(engine_options(Profile::fast, Stopping::ticks), kPageGuest));
  FB_TRY(const auto dense, program_of(engine_options(Profile::dense, Stopping::ticks), kPageGuest));
  FB_TRY(const auto dense_on_demand, program_of(on_demand, kPageGuest));
  const Variant variants[] = {
      timed_us("fast, pooled", conditions, [&] { return live_once(fast, kBothLimits); }),
      timed_us("dense, pooled", conditions, [&] { return live_once(dense, kBothLimits); }),
      timed_us("dense, on demand", conditions, [&] { return live_once(dense_on_demand, kBothLimits); }),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  Row pooled =
      row_of("layout.life.dense_pooled", "dense layout: instantiate + call + teardown, pooled", "µs", taken[1]);
  Row demand =
      row_of("layout.life.dense_on_demand", "dense layout: instantiate + call + teardown, on demand", "µs", taken[2]);
  compare(pooled, "fast layout, pooled", taken[0]);
  compare(demand, "fast layout, pooled", taken[0]);
  return std::vector{pooled, demand};
}

base::Result<Row> measure_calls(const Conditions& conditions) {
  FB_TRY(const auto fast, program_of(engine_options(Profile::fast, Stopping::ticks), kCallsGuest));
  FB_TRY(const auto dense, program_of(engine_options(Profile::dense, Stopping::ticks), kCallsGuest));
  FB_TRY(Guest fast_guest, Guest::create(fast, "null"));
  FB_TRY(Guest dense_guest, Guest::create(dense, "null"));
  const Variant variants[] = {null_calls_ns("fast", fast_guest, {.wall = kFarLimit}, conditions),
                              null_calls_ns("dense", dense_guest, {.wall = kFarLimit}, conditions)};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  Row row = row_of("layout.call.dense", "dense layout: host→guest null call, time limit enforced", "ns", taken[1]);
  compare(row, "fast layout", taken[0]);
  return row;
}

}  // namespace

Rows measure_layouts(const Conditions& conditions) {
  FB_TRY(std::vector<Row> rows, measure_lives(conditions));
  FB_TRY(const Row calls, measure_calls(conditions));
  rows.push_back(calls);
  return rows;
}

Rows measure_recompilation(const Conditions& conditions) {
  FB_TRY(const base::Bytes wasm, assemble_text(kPageGuest, "benchmark guest"));
  FB_TRY(const auto program, program_of(engine_options(Profile::fast, Stopping::ticks), base::ByteView(wasm)));
  CompilingEngine compiling;
  const Variant variants[] = {
      timed_us("cached code", conditions, [&] { return live_once(program, kBothLimits); }),
      timed_us("compiled each time", conditions, [&] { return compiling.run_once(wasm); }),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds / 10 + 1));
  Row row = row_of("execute.recompile", "compile + instantiate + call, raw Wasmtime without a cache", "µs", taken[1]);
  compare(row, "instantiate + call + teardown", taken[0]);
  return std::vector{row};
}

}  // namespace fusebox::cli::bench
