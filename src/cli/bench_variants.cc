#include "cli/bench_variants.h"

#include <utility>

namespace fusebox::cli::bench {
namespace {

constexpr int kRunsPerSample = 10;  // after the first, what another variant threw out of the caches is back
constexpr int kHostIterations = 500;
constexpr std::int32_t kPageGuestAnswer = 42;

}  // namespace

Variant timed_us(std::string name, const Conditions& conditions, std::function<base::Result<void>()> body) {
  return {std::move(name), [&conditions, body = std::move(body)](Samples& samples) -> base::Result<void> {
            for (int i = 0; i < kRunsPerSample; ++i) {
              base::Result<void> result;
              samples.add(conditions.watch->time_ns([&] { result = body(); }) / 1000);
              FB_CHECK(std::move(result));
            }
            return {};
          }};
}

Variant null_calls_ns(std::string name, Guest& guest, const engine::CallBudget& budget, const Conditions& conditions) {
  return {std::move(name), [&guest, budget, &conditions](Samples& samples) -> base::Result<void> {
            engine::RawValue value{};
            bool completed = true;
            const double ns = conditions.watch->time_ns([&] {
              for (int i = 0; i < kHostIterations; ++i) {
                completed &= guest.instance().call_fast(guest.function(), &value, budget);
              }
            });
            if (!completed) return base::fail(base::Errc::bug, guest.instance().take_outcome().message());
            samples.add(ns / kHostIterations);
            return {};
          }};
}

base::Result<std::unique_ptr<engine::Instance>> instantiate(const std::shared_ptr<const engine::Program>& program,
                                                            const engine::CallBudget& budget) {
  FB_TRY(engine::Instance::Started started, engine::Instance::create(program, {}, nullptr, budget));
  if (!started.instance) return base::fail(base::Errc::bug, "start function: " + started.outcome.message());
  return std::move(started.instance);
}

base::Result<void> call(engine::Instance& instance, std::string_view name, engine::RawValue* values,
                        const engine::CallBudget& budget) {
  FB_TRY(const engine::Function function, instance.function(name));
  if (instance.call_fast(function, values, budget)) return {};
  return base::fail(base::Errc::bug, instance.take_outcome().message());
}

base::Result<void> live_once(const std::shared_ptr<const engine::Program>& program, const engine::CallBudget& budget) {
  FB_TRY(const auto instance, instantiate(program, budget));
  engine::RawValue value{};
  FB_CHECK(call(*instance, "run", &value, budget));
  if (value.i32 != kPageGuestAnswer) return base::fail(base::Errc::bug, "the guest gave another answer than it should");
  return {};
}

}  // namespace fusebox::cli::bench
