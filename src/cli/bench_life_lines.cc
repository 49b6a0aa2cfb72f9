#include <cstring>
#include <utility>

#include "cli/bench_variants.h"
#include "cli/wat.h"
#include "fusebox/sandbox.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::string_view kDocument = R"({"name":"sensor-7","values":[1,2,3,5,8,13],"unit":"degC","ok":true})";

// What Sandbox::execute cannot do without: the echo guest in the engine's hands alone.
base::Result<void> echo_once(const std::shared_ptr<const engine::Program>& program) {
  FB_TRY(const auto instance, instantiate(program, kBothLimits));
  const auto size = static_cast<std::int32_t>(kDocument.size());
  engine::RawValue values[2] = {};
  values[0].i32 = size + 1;
  FB_CHECK(call(*instance, "femto_alloc", values, kBothLimits));
  const auto at = static_cast<std::uint32_t>(values[0].i32);
  if (!base::in_bounds(at, kDocument.size() + 1, instance->memory().size())) {
    return base::fail(base::Errc::bug, "the guest's allocator answered with a place outside its memory");
  }
  std::memcpy(instance->memory().data() + at, kDocument.data(), kDocument.size());
  values[1].i32 = size;
  return call(*instance, "run", values, kBothLimits);
}

}  // namespace

Rows measure_life(const Conditions& conditions) {
  using engine::Profile;
  using engine::Stopping;
  auto on_demand = engine_options(Profile::fast, Stopping::ticks);
  on_demand.pool_instances = 0;
  FB_TRY(const auto limited, program_of(engine_options(Profile::fast, Stopping::ticks), kPageGuest));
  FB_TRY(const auto free, program_of(engine_options(Profile::fast, Stopping::none), kPageGuest));
  FB_TRY(const auto unpooled, program_of(on_demand, kPageGuest));
  const Variant variants[] = {
      timed_us("nothing enforced", conditions, [&] { return live_once(free, {}); }),
      timed_us("both limits", conditions, [&] { return live_once(limited, kBothLimits); }),
      timed_us("on demand", conditions, [&] { return live_once(unpooled, kBothLimits); }),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  Row pooled = row_of("life.pooled", "instantiate + call + teardown, pooled, both limits", "µs", taken[1]);
  pooled.target.median_max = 4;
  compare(pooled, "nothing enforced", taken[0]);
  Row demand = row_of("life.on_demand", "instantiate + call + teardown, on demand, both limits", "µs", taken[2]);
  compare(demand, "nothing enforced", taken[0]);
  return std::vector{pooled, demand};
}

Rows measure_execute(const Conditions& conditions) {
  FB_TRY(const base::Bytes wasm, assemble_text(kEchoGuest, "benchmark guest"));
  FB_TRY(const auto program,
         program_of(engine_options(engine::Profile::fast, engine::Stopping::ticks), base::ByteView(wasm)));
  FB_TRY(capability::Sandbox sandbox, capability::Sandbox::create(policy::Policy{}));
  FB_TRY(const capability::Module module, capability::Module::from_bytes(wasm));
  const Variant variants[] = {
      timed_us("engine alone", conditions, [&] { return echo_once(program); }),
      timed_us("execute", conditions,
               [&]() -> base::Result<void> {
                 FB_TRY(const capability::Output output, sandbox.execute(module, "run", kDocument));
                 if (output.result == kDocument) return {};
                 return base::fail(base::Errc::bug, "the result is not the guest's copy of its input");
               }),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));

  Row row = row_of("execute", "Sandbox::execute of a cached module, small JSON in and out", "µs", taken[1]);
  row.target.median_max = 15;
  compare(row, "engine alone", taken[0]);
  return std::vector{row};
}

}  // namespace fusebox::cli::bench
