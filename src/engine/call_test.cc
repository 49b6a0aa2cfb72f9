// Compile, link, instantiate, call, and how calls end, without any limit in play.
#include <string>

#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

class Call : public testing::TestWithParam<Profile> {
 protected:
  std::shared_ptr<Engine> engine_ = must(Engine::create(small_engine(Stopping::none, GetParam())));
};
INSTANTIATE_TEST_SUITE_P(Profiles, Call, testing::Values(Profile::fast, Profile::dense),
                         [](const auto& profile) { return profile.param == Profile::fast ? "fast" : "dense"; });

TEST_P(Call, PassesValuesOfEveryTypeBothWays) {
  auto instance = instance_of(program_of(engine_, R"((module
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    (func (export "neg") (param i64) (result i64) i64.const 0 local.get 0 i64.sub)
    (func (export "half") (param f64) (result f64) local.get 0 f64.const 0.5 f64.mul)
    (func (export "swap") (param i32 f32) (result f32 i32) local.get 1 local.get 0)))"));
  EXPECT_EQ(call(*instance, "add", {i32(40), i32(2)}).values[0].i32, 42);
  RawValue wide{};
  wide.i64 = std::int64_t{1} << 40;
  EXPECT_EQ(call(*instance, "neg", {wide}).values[0].i64, -(std::int64_t{1} << 40));
  RawValue real{};
  real.f64 = 5.0;
  EXPECT_EQ(call(*instance, "half", {real}).values[0].f64, 2.5);
  RawValue single{};
  single.f32 = 1.5F;
  const Called swapped = call(*instance, "swap", {i32(7), single});
  EXPECT_EQ(swapped.values[0].f32, 1.5F);
  EXPECT_EQ(swapped.values[1].i32, 7);
}

struct TrapCase {
  const char* name;
  const char* body;
  TrapKind kind;
  const char* sentence;
};
constexpr TrapCase kTraps[] = {
    {"unreachable", "unreachable", TrapKind::unreachable, "trapped: unreachable"},
    {"load past the end", "i32.const 65536 i32.load drop", TrapKind::memory_out_of_bounds,
     "trapped: out of bounds memory access"},
    {"load far past the end", "i32.const -1 i32.load offset=4294967295 drop", TrapKind::memory_out_of_bounds,
     "trapped: out of bounds memory access"},
    {"memory.fill past the end", "i32.const 65535 i32.const 0 i32.const 2 memory.fill", TrapKind::memory_out_of_bounds,
     "trapped: out of bounds memory access"},
    {"table.get past the end", "i32.const 2 table.get 0 drop", TrapKind::table_out_of_bounds,
     "trapped: out of bounds table access"},
    {"call_indirect past the end", "i32.const 2 call_indirect (type $void)", TrapKind::table_out_of_bounds,
     "trapped: out of bounds table access"},
    {"call_indirect to null", "i32.const 1 call_indirect (type $void)", TrapKind::indirect_call_to_null,
     "trapped: uninitialized element"},
    {"call_indirect of another type", "i32.const 0 i32.const 0 call_indirect (type $other)",
     TrapKind::indirect_call_type_mismatch, "trapped: indirect call type mismatch"},
    {"smallest divided by -1", "i32.const 0x80000000 i32.const -1 i32.div_s drop", TrapKind::integer_overflow,
     "trapped: integer overflow"},
    {"divide by zero", "i32.const 1 i32.const 0 i32.div_u drop", TrapKind::integer_divide_by_zero,
     "trapped: integer divide by zero"},
    {"NaN to integer", "f32.const nan i32.trunc_f32_s drop", TrapKind::invalid_conversion_to_integer,
     "trapped: invalid conversion to integer"},
    {"endless recursion", "call $run", TrapKind::stack_overflow, "trapped: native stack overflow"},
};

TEST_P(Call, EveryTrapKindIsToldApart) {
  for (const TrapCase& c : kTraps) {
    SCOPED_TRACE(c.name);
    auto instance =
        instance_of(program_of(engine_, std::string(R"((module (type $void (func)) (type $other (func (param i32)))
      (memory 1) (table 2 funcref) (elem (i32.const 0) $run) (func $run (export "run") )") +
                                            c.body + "))"));
    const Called called = call(*instance, "run");
    ASSERT_NE(trapped(called.outcome), nullptr) << called.outcome.message();
    EXPECT_EQ(trapped(called.outcome)->kind, c.kind);
    EXPECT_EQ(called.outcome.message(), c.sentence);
    EXPECT_EQ(called.outcome.kind(), "trapped");
    ASSERT_FALSE(trapped(called.outcome)->backtrace.empty());
    EXPECT_EQ(trapped(called.outcome)->backtrace[0].function, "run");
  }
}

TEST_P(Call, NothingRunsAfterATrap) {
  auto instance = instance_of(program_of(engine_, R"((module (memory (export "memory") 1)
    (func (export "trap") unreachable) (func (export "mark") i32.const 0 i32.const 1 i32.store8)))"));
  ASSERT_NE(trapped(call(*instance, "trap").outcome), nullptr);
  const Called second = call(*instance, "mark");
  ASSERT_NE(failed(second.outcome), nullptr);
  EXPECT_EQ(failed(second.outcome)->error.code, base::Errc::unavailable);
  EXPECT_EQ(second.outcome.message(), "failed: call: the instance did not complete an earlier call; make a new one");
  EXPECT_EQ(instance->memory()[0], std::byte{0});
}

TEST_P(Call, BacktraceNamesEveryCallerInnermostFirst) {
  auto instance = instance_of(program_of(engine_, R"((module (func $inner unreachable) (func $middle call $inner)
    (func $outer (export "outer") call $middle)))"));
  const Called called = call(*instance, "outer");
  ASSERT_NE(trapped(called.outcome), nullptr);
  const std::vector<Frame>& frames = trapped(called.outcome)->backtrace;
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].function, "inner");
  EXPECT_EQ(frames[1].function, "middle");
  EXPECT_EQ(frames[2].function, "outer");
  EXPECT_EQ(frames[2].function_index, 2u);
  EXPECT_LT(frames[0].module_offset, frames[2].module_offset);
}

TEST_P(Call, MissingExportIsNamed) {
  auto instance = instance_of(program_of(engine_, R"((module (memory (export "memory") 1)))"));
  const auto missing = instance->function("run");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::not_found);
  EXPECT_EQ(missing.error().message, "the module exports no function \"run\"");
  EXPECT_FALSE(instance->function("memory"));
}

TEST_P(Call, TooFewValuesAreRefused) {
  auto instance =
      instance_of(program_of(engine_, R"((module (func (export "f") (param i32 i32) (result i32) i32.const 1)))"));
  RawValue one[1] = {};
  const Outcome outcome = instance->call(must(instance->function("f")), one, {});
  ASSERT_NE(failed(outcome), nullptr);
  EXPECT_EQ(outcome.message(), "failed: call: 1 values given; the function takes 2 and returns 1");
}

TEST_P(Call, MemoryIsSharedWithTheGuestAndSurvivesAMove) {
  auto instance = instance_of(program_of(engine_, R"((module (memory (export "memory") 1) (data (i32.const 3) "abc")
    (func (export "at") (param i32) (result i32) local.get 0 i32.load8_u)))"));
  EXPECT_EQ(instance->memory().size(), 65536u);
  EXPECT_EQ(instance->memory()[4], std::byte{'b'});
  instance->memory()[100] = std::byte{9};
  Instance moved = std::move(*instance);
  EXPECT_EQ(call(moved, "at", {i32(100)}).values[0].i32, 9);
}

TEST_P(Call, DataOutsideMemoryTrapsAtCreation) {
  const auto program = program_of(engine_, R"((module (memory 1) (data (i32.const 65536) "x")))");
  Instance::Started started = must(Instance::create(program, {}, nullptr, {}));
  EXPECT_EQ(started.instance, nullptr);
  ASSERT_NE(trapped(started.outcome), nullptr) << started.outcome.message();
  EXPECT_EQ(trapped(started.outcome)->kind, TrapKind::memory_out_of_bounds);
}

}  // namespace
}  // namespace fusebox::engine
