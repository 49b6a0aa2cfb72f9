// Metered programs do what unmetered ones do, and unrolling changes no tick: on random programs, at every budget.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "engine/meter.h"
#include "engine/meter_program_generator.h"
#include "engine/wasmtime_test_support.h"

namespace fusebox::engine {
namespace {

using namespace testing;

constexpr std::int64_t kPlenty = std::int64_t{1} << 40;

struct Variant {
  MeterMap map;
  std::optional<BareModule> module;
};

Variant build(const BareEngine& engine, const base::Bytes& wasm, MeterMode mode, bool unroll,
              std::span<const std::string> may_ask_again = {}) {
  Variant variant;
  auto metered = meter(wasm, {.mode = mode, .unroll = unroll, .may_ask_again = may_ask_again});
  EXPECT_TRUE(metered) << metered.error().message;
  if (!metered) return variant;
  auto module = BareModule::compile(engine, metered->wasm);
  EXPECT_TRUE(module) << module.error();
  if (module) variant.module.emplace(std::move(*module));
  auto decoded = MeterMap::decode(metered->map.encode());
  EXPECT_TRUE(decoded);
  variant.map = std::move(*decoded);
  return variant;
}

CallResult run(const BareModule& module, const std::vector<std::int64_t>& arguments, std::int64_t budget,
               bool show_counter) {
  auto instance = BareInstance::create(module);
  EXPECT_TRUE(instance) << instance.error();
  if (!instance) return {};
  if (show_counter) (*instance)->show_counter_to_hosts();
  return (*instance)->call("run", arguments, budget);
}

void expect_same(const CallResult& a, const CallResult& b) {
  EXPECT_EQ(a.trapped, b.trapped) << a.message << b.message;
  EXPECT_EQ(a.trap_code, b.trap_code);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.host_calls, b.host_calls);
  EXPECT_EQ(a.memory_hash, b.memory_hash);
}

class MeterProperty : public ::testing::TestWithParam<int> {
 public:
  static const BareEngine& engine() {
    static const BareEngine engine;
    return engine;
  }
};

// Seeds are printed by gtest's parameter names; FUSEBOX_SEED adds to them.
std::uint32_t seed_of(int parameter) {
  const char* more = std::getenv("FUSEBOX_SEED");
  return static_cast<std::uint32_t>(parameter) + (more != nullptr ? static_cast<std::uint32_t>(std::atoi(more)) : 0);
}

TEST_P(MeterProperty, MeteringChangesNothingAndUnrollingNoTick) {
  const std::uint32_t seed = seed_of(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::string text = ProgramGenerator(seed).module();
  const auto wasm = assemble(text);
  ASSERT_TRUE(wasm) << wasm.error() << text;
  const auto bare = BareModule::compile(engine(), *wasm);
  ASSERT_TRUE(bare) << bare.error();
  const Variant plain = build(engine(), *wasm, MeterMode::ticks, false);
  const Variant unrolled = build(engine(), *wasm, MeterMode::ticks, true);
  const Variant time = build(engine(), *wasm, MeterMode::time, false);
  const Variant time_unrolled = build(engine(), *wasm, MeterMode::time, true);
  ASSERT_TRUE(plain.module && unrolled.module && time.module && time_unrolled.module);

  std::mt19937 random(seed);
  const std::vector<std::int64_t> arguments = {static_cast<std::int32_t>(random() % 100),
                                               static_cast<std::int32_t>(random())};
  const CallResult want = run(*bare, arguments, 0, false);
  expect_same(want, run(*time.module, arguments, 0, false));
  expect_same(want, run(*time_unrolled.module, arguments, 0, false));
  expect_same(want, run(*unrolled.module, arguments, kPlenty, false));
  const CallResult reference = run(*plain.module, arguments, kPlenty, false);
  expect_same(want, reference);
  const std::int64_t ticks = settle(plain.map, reference, kPlenty).ticks;
  EXPECT_GT(ticks, 0);

  // Every budget of a short program, some of a long one.
  const int budgets = ticks <= 150 ? static_cast<int>(ticks) + 2 : 40;
  for (int i = 0; i < budgets; ++i) {
    const std::int64_t budget = ticks <= 150 ? i : (i < 2 ? ticks - i : static_cast<std::int64_t>(random()) % ticks);
    SCOPED_TRACE("budget " + std::to_string(budget));
    const CallResult a = run(*plain.module, arguments, budget, true);
    const CallResult b = run(*unrolled.module, arguments, budget, true);
    expect_same(a, b);
    const Account spent = settle(plain.map, a, budget);
    const Account spent_unrolled = settle(unrolled.map, b, budget);
    EXPECT_EQ(spent.ticks, spent_unrolled.ticks);
    EXPECT_EQ(spent.out_of_ticks, spent_unrolled.out_of_ticks);
    EXPECT_LE(spent.ticks, budget);
    EXPECT_EQ(spent.out_of_ticks, budget < ticks);
    if (!a.offsets.empty()) {
      EXPECT_EQ(plain.map.original_offset(a.offset), unrolled.map.original_offset(b.offset));
    }
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << text;
      return;
    }
  }
}

TEST_P(MeterProperty, WaitingInCallsChangesNoResultAndNoTick) {
  const std::uint32_t seed = seed_of(GetParam());
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::string text = ProgramGenerator(seed).module();
  const auto wasm = assemble(text);
  ASSERT_TRUE(wasm) << wasm.error() << text;
  const std::string asking[] = {"env"};
  std::mt19937 random(seed);
  const std::vector<std::int64_t> arguments = {static_cast<std::int32_t>(random() % 100),
                                               static_cast<std::int32_t>(random())};
  for (const MeterMode mode : {MeterMode::ticks, MeterMode::time}) {
    for (const bool unroll : {false, true}) {
      const Variant plain = build(engine(), *wasm, mode, unroll);
      const Variant waiting = build(engine(), *wasm, mode, unroll, asking);
      ASSERT_TRUE(plain.module && waiting.module) << text;
      const std::int64_t plenty = mode == MeterMode::ticks ? kPlenty : 0;
      const CallResult want = run(*plain.module, arguments, plenty, mode == MeterMode::ticks);
      const std::int64_t ticks = settle(plain.map, want, plenty).ticks;
      for (const std::int64_t budget : {plenty, ticks, ticks - 1, ticks / 2}) {
        const CallResult a =
            run(*plain.module, arguments, mode == MeterMode::ticks ? budget : 0, mode == MeterMode::ticks);
        auto instance = BareInstance::create(*waiting.module);
        ASSERT_TRUE(instance) << instance.error();
        if (mode == MeterMode::ticks) (*instance)->show_counter_to_hosts();
        (*instance)->ask_again();
        const CallResult b = (*instance)->call("run", arguments, mode == MeterMode::ticks ? budget : 0);
        expect_same(a, b);
        const std::size_t values_of_a_call = mode == MeterMode::ticks ? 2 : 1;
        EXPECT_EQ(static_cast<std::size_t>((*instance)->waits()), 2 * b.host_calls.size() / values_of_a_call);
        const Account spent = settle(plain.map, a, budget);
        const Account spent_waiting = settle(waiting.map, b, budget);
        if (mode == MeterMode::ticks) {
          EXPECT_EQ(spent.ticks, spent_waiting.ticks);
        }
        EXPECT_EQ(spent.out_of_ticks, spent_waiting.out_of_ticks);
        if (!a.offsets.empty()) {
          EXPECT_EQ(plain.map.original_offset(a.offset), waiting.map.original_offset(b.offset));
        }
        if (::testing::Test::HasFailure()) {
          ADD_FAILURE() << text;
          return;
        }
        if (mode == MeterMode::time) break;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MeterProperty, ::testing::Range(1, 151));

}  // namespace
}  // namespace fusebox::engine
