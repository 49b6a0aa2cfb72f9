#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "cli/bench_variants.h"
#include "compute_native.h"
#include "heavy_lines.h"
#include "wasmtime_raw.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kModuleBytesMax = 1u << 20;
constexpr base::Nanos kRunAtLeast =
    std::chrono::milliseconds{25};  // of the native program: short enough that some runs are not disturbed at all
constexpr std::int32_t kIterationsMax = 1 << 26;
constexpr std::int64_t kFarTicks = std::int64_t{1} << 50;

using Compute = std::function<base::Result<std::uint32_t>(std::int32_t)>;

struct Contestant {
  std::string name;  // of its row, after "compute."
  std::string line;
  Compute compute;
  std::size_t against = 0;  // index of the contestant it is compared with; its own = with nothing
  Target target;
};

Compute native(std::uint32_t (*compute)(std::uint32_t)) {
  return [compute](std::int32_t iterations) -> base::Result<std::uint32_t> {
    return compute(static_cast<std::uint32_t>(iterations));
  };
}

engine::CallBudget budget_for(engine::Stopping stopping) {
  if (stopping == engine::Stopping::none) return {};
  return {.cpu = kFarLimit, .wall = {}, .ticks = stopping == engine::Stopping::ticks ? kFarTicks : 0};
}

base::Result<Compute> engine_compute(base::ByteView wasm, engine::Profile profile, engine::Stopping stopping) {
  FB_TRY(const auto program, program_of(engine_options(profile, stopping), wasm));
  FB_TRY(Guest created, Guest::create(program, "compute"));
  auto guest = std::make_shared<Guest>(std::move(created));
  const engine::CallBudget budget = budget_for(stopping);
  return [guest, budget](std::int32_t iterations) -> base::Result<std::uint32_t> {
    FB_TRY(const engine::RawValue result, guest->call(iterations, budget));
    return static_cast<std::uint32_t>(result.i32);
  };
}

base::Result<Compute> fuel_compute(base::ByteView wasm) {
  FB_TRY(FuelGuest created, FuelGuest::create(wasm));
  auto guest = std::make_shared<FuelGuest>(std::move(created));
  return [guest](std::int32_t iterations) { return guest->compute(iterations); };
}

constexpr std::size_t kNativeO3 = 0;
constexpr std::size_t kNothingEnforced = 2;

Target at_least(double share) {
  return {.median_max = {}, .p99_max = {}, .ratio_max = {}, .ratio_min = share};
}

base::Result<std::vector<Contestant>> contestants(base::ByteView wasm) {
  using engine::Profile;
  using engine::Stopping;
  std::vector<Contestant> all;
  all.push_back({"native_o3", "compute: native, gcc -O3", native(fusebox_compute_o3), kNativeO3, {}});
  all.push_back({"native_o2", "compute: native, gcc -O2", native(fusebox_compute_o2), kNativeO3, {}});

  FB_TRY(Compute none, engine_compute(wasm, Profile::fast, Stopping::none));
  all.push_back({"none", "compute: nothing enforced", std::move(none), kNativeO3, {}});
  FB_TRY(Compute time, engine_compute(wasm, Profile::fast, Stopping::time));
  all.push_back({"time", "compute: time limit", std::move(time), kNothingEnforced, at_least(0.92)});
  FB_TRY(Compute ticks, engine_compute(wasm, Profile::fast, Stopping::ticks));
  all.push_back({"ticks", "compute: ticks and time", std::move(ticks), kNothingEnforced, at_least(0.86)});
  FB_TRY(Compute epoch, engine_compute(wasm, Profile::fast, Stopping::epoch));
  all.push_back({"epoch", "compute: Wasmtime's epochs", std::move(epoch), kNothingEnforced, {}});
  FB_TRY(Compute fuel, fuel_compute(wasm));
  all.push_back({"fuel", "compute: Wasmtime's fuel", std::move(fuel), kNothingEnforced, {}});

  FB_TRY(Compute dense_none, engine_compute(wasm, Profile::dense, Stopping::none));
  all.push_back({"dense.none", "compute, dense layout: nothing enforced", std::move(dense_none), kNothingEnforced, {}});
  FB_TRY(Compute dense_time, engine_compute(wasm, Profile::dense, Stopping::time));
  all.push_back({"dense.time", "compute, dense layout: time limit", std::move(dense_time), kNothingEnforced, {}});
  FB_TRY(Compute dense_ticks, engine_compute(wasm, Profile::dense, Stopping::ticks));
  all.push_back({"dense.ticks", "compute, dense layout: ticks and time", std::move(dense_ticks), kNothingEnforced, {}});
  return all;
}

std::int32_t iterations_for(const base::Clock& clock) {
  std::int32_t iterations = 1;
  while (iterations < kIterationsMax) {
    const base::Nanos begin = clock.thread_cpu();
    static_cast<void>(fusebox_compute_o3(static_cast<std::uint32_t>(iterations)));
    if (clock.thread_cpu() - begin >= kRunAtLeast) break;
    iterations *= 2;
  }
  return iterations;
}

// A contestant that computes something else has no figure.
Variant timed_ms(const Contestant& contestant, std::int32_t iterations, std::uint32_t expected,
                 const Conditions& conditions) {
  return {contestant.line, [&contestant, iterations, expected, &conditions](Samples& samples) -> base::Result<void> {
            base::Result<std::uint32_t> checksum;
            // The thread's own clock: on a busy machine the time it waits for the processor is nobody's work.
            const base::Clock& clock = conditions.watch->clock();
            const base::Nanos begin = clock.thread_cpu();
            checksum = contestant.compute(iterations);
            const base::Nanos spent = clock.thread_cpu() - begin;
            FB_TRY(const std::uint32_t given, std::move(checksum));
            if (given != expected) {
              return base::fail(base::Errc::bug, "checksum " + std::to_string(given) +
                                                     " where the native program gives " + std::to_string(expected));
            }
            samples.add(static_cast<double>(spent.count()) / 1e6);
            return {};
          }};
}

Row row_for(const std::vector<Contestant>& all, const std::vector<Samples>& taken, std::size_t which) {
  const Contestant& contestant = all[which];
  Row row = row_of("compute." + contestant.name, contestant.line, "ms", taken[which]);
  row.target = contestant.target;
  row.ratio_kind = RatioKind::share;
  if (contestant.against != which) {
    compare_best(row, all[contestant.against].line.substr(std::string_view("compute: ").size()), taken[which],
                 taken[contestant.against]);
  }
  return row;
}

}  // namespace

Rows measure_compute(const Conditions& conditions, const HeavyOptions& options) {
  FB_TRY(const std::string text, base::read_file(FUSEBOX_GUEST_DIR "/compute.wasm", kModuleBytesMax));
  FB_TRY(const std::vector<Contestant> all, contestants(base::as_bytes(text)));
  const std::int32_t iterations = iterations_for(conditions.watch->clock());
  const std::uint32_t expected = fusebox_compute_o3(static_cast<std::uint32_t>(iterations));
  std::vector<Variant> variants;
  for (const Contestant& contestant : all) {
    variants.push_back(timed_ms(contestant, iterations, expected, conditions));
  }
  FB_TRY(const auto taken, interleave(variants, options.compute_rounds));
  std::vector<Row> rows;
  for (std::size_t i = 0; i < all.size(); ++i) rows.push_back(row_for(all, taken, i));
  rows[kNothingEnforced].note = "ratios of compute rows are of the best of " + std::to_string(options.compute_rounds) +
                                " rounds; " + std::to_string(iterations) + " iterations a run";
  return rows;
}

}  // namespace fusebox::cli::bench
