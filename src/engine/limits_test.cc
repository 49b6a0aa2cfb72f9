// Limits on memory, tables and stack: at the bound, one beyond, and in every layout.
#include <string>
#include <thread>

#include <pthread.h>

#include "engine/call_limits.h"
#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

struct Layout {
  const char* name;
  Profile profile;
  std::uint32_t pool_instances;
};

class Limits : public testing::TestWithParam<Layout> {
 protected:
  std::shared_ptr<Engine> engine_ =
      must(Engine::create(small_engine(Stopping::ticks, GetParam().profile, GetParam().pool_instances)));
  base::Error refusal(std::string_view wat, const InstanceLimits& limits) {
    auto started = Instance::create(program_of(engine_, wat), limits, nullptr, {});
    EXPECT_FALSE(started);
    return started ? base::Error{} : started.error();
  }
};
INSTANTIATE_TEST_SUITE_P(Layouts, Limits,
                         testing::Values(Layout{"fast_pooled", Profile::fast, 8},
                                         Layout{"fast_on_demand", Profile::fast, 0},
                                         Layout{"dense_pooled", Profile::dense, 8},
                                         Layout{"dense_on_demand", Profile::dense, 0}),
                         [](const auto& layout) { return layout.param.name; });

constexpr std::string_view kGrower = R"((module (memory (export "memory") 2)
  (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
  (func (export "size") (result i32) memory.size)))";

TEST_P(Limits, MemoryStartsAtTheLimitButNotAboveIt) {
  EXPECT_EQ(instance_of(program_of(engine_, kGrower), {.memory_bytes = 2 * kWasmPageBytes})->memory().size(),
            2 * kWasmPageBytes);
  const base::Error error = refusal(kGrower, {.memory_bytes = 2 * kWasmPageBytes - 1});
  EXPECT_EQ(error.code, base::Errc::exhausted);
  EXPECT_EQ(error.name, "MEMORY_LIMIT");
  EXPECT_EQ(error.message, "the module's memory starts with 2 pages (128 KiB); the limit is 1 pages (131071 bytes)");
}

TEST_P(Limits, MemoryGrowsToTheLimitAndNoFurther) {
  auto instance = instance_of(program_of(engine_, kGrower), {.memory_bytes = 5 * kWasmPageBytes + 100});
  EXPECT_EQ(call(*instance, "grow", {i32(4)}).values[0].i32, -1);
  EXPECT_EQ(call(*instance, "grow", {i32(3)}).values[0].i32, 2);
  EXPECT_EQ(call(*instance, "grow", {i32(1)}).values[0].i32, -1);
  EXPECT_EQ(call(*instance, "grow", {i32(65536)}).values[0].i32, -1);
  const Called size = call(*instance, "size");
  EXPECT_EQ(size.values[0].i32, 5);
  EXPECT_EQ(size.outcome.usage.peak_memory_bytes, 5 * kWasmPageBytes);
  EXPECT_FALSE(instance->grow_memory(1));
}

TEST_P(Limits, HostSideGrowthObeysTheSameLimit) {
  auto instance = instance_of(program_of(engine_, kGrower), {.memory_bytes = 3 * kWasmPageBytes});
  EXPECT_TRUE(instance->grow_memory(1));
  EXPECT_EQ(instance->memory().size(), 3 * kWasmPageBytes);
  EXPECT_FALSE(instance->grow_memory(1));
}

TEST_P(Limits, AGuestAllowedNoPageGetsNone) {
  auto instance = instance_of(program_of(engine_, R"((module (memory (export "memory") 0)
    (func (export "grow") (result i32) i32.const 1 memory.grow)))"),
                              {.memory_bytes = kWasmPageBytes - 1});
  EXPECT_EQ(call(*instance, "grow").values[0].i32, -1);
  EXPECT_TRUE(instance->memory().empty());
}

TEST_P(Limits, TheStartFunctionGrowsUnderTheSameLimit) {
  auto instance = instance_of(program_of(engine_, R"((module (memory 1) (global $got (mut i32) (i32.const 0))
    (func $start i32.const 1 memory.grow global.set $got) (start $start)
    (func (export "got") (result i32) global.get $got)))"),
                              {.memory_bytes = kWasmPageBytes});
  EXPECT_EQ(call(*instance, "got").values[0].i32, -1);
  EXPECT_EQ(instance->memory().size(), kWasmPageBytes);  // reachable though the guest exports no memory
}

constexpr std::string_view kTable = R"((module (table $t 10 funcref)
  (func (export "grow") (param i32) (result i32) ref.null func local.get 0 table.grow $t)))";

TEST_P(Limits, TablesStartAtTheLimitAndGrowToIt) {
  EXPECT_EQ(refusal(kTable, {.table_elements = 9}).message,
            "the module's tables start with 10 elements; the limit is 9");
  auto instance = instance_of(program_of(engine_, kTable), {.table_elements = 12});
  EXPECT_EQ(call(*instance, "grow", {i32(3)}).values[0].i32, -1);
  EXPECT_EQ(call(*instance, "grow", {i32(2)}).values[0].i32, 10);
  EXPECT_EQ(call(*instance, "grow", {i32(1)}).values[0].i32, -1);
}

TEST_P(Limits, TheTableLimitIsOverAllTables) {
  auto instance = instance_of(program_of(engine_, R"((module (table $a 10 funcref) (table $b 4 4 funcref)
    (func (export "grow") (param i32) (result i32) ref.null func local.get 0 table.grow $a)))"),
                              {.table_elements = 16});
  EXPECT_EQ(call(*instance, "grow", {i32(3)}).values[0].i32, -1);
  EXPECT_EQ(call(*instance, "grow", {i32(2)}).values[0].i32, 10);
}

constexpr std::string_view kRecursion = R"((module (func $deep (export "deep") (param i32) (result i32)
  local.get 0 i32.eqz if (result i32) i32.const 0 else local.get 0 i32.const 1 i32.sub call $deep i32.const 1 i32.add end)))";

void expect_overflow(const std::shared_ptr<const Program>& program) {
  auto instance = instance_of(program);
  const Called called = call(*instance, "deep", {i32(2'000'000'000)});
  ASSERT_NE(trapped(called.outcome), nullptr) << called.outcome.message();
  EXPECT_EQ(trapped(called.outcome)->kind, TrapKind::stack_overflow);
  EXPECT_LE(trapped(called.outcome)->backtrace.size(), kBacktraceFramesMax);
}

TEST_P(Limits, EndlessRecursionIsATrap) {
  expect_overflow(program_of(engine_, kRecursion));
}

void* run_overflow(void* program) {
  expect_overflow(*static_cast<std::shared_ptr<const Program>*>(program));
  return nullptr;
}

TEST_P(Limits, AThreadWithLessStackThanTheGuestMayUseIsNotOverflown) {
  auto options = small_engine(Stopping::time, GetParam().profile, GetParam().pool_instances);
  options.stack_bytes = kStackBytesMax;
  auto program = program_of(must(Engine::create(options)), kRecursion);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256u << 10);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, &run_overflow, &program), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  expect_overflow(program);  // this thread has 8 MiB in all, so it needs a stack as well
}

TEST_P(Limits, TheStackSettingIsWhatRecursionGets) {
  const auto depth_of = [&](std::uint64_t stack_bytes) {
    auto options = small_engine(Stopping::time, GetParam().profile, GetParam().pool_instances);
    options.stack_bytes = stack_bytes;
    const auto program = program_of(must(Engine::create(options)), kRecursion);
    int low = 0;
    for (int depth = 64; depth < 1 << 20; depth *= 2) {
      auto instance = instance_of(program);
      if (!call(*instance, "deep", {i32(depth)}).outcome.completed()) break;
      low = depth;
    }
    return low;
  };
  const int small = depth_of(32u << 10);
  EXPECT_GT(small, 0);
  EXPECT_GE(depth_of(512u << 10), 8 * small);
}

struct Nest {
  std::shared_ptr<const Program> program;
  std::string innermost;
};

// Each guest calls the host, which calls a fresh guest, and so on without end.
bool nest(HostContext& context, void* env, RawValue* values) {
  auto& shared = *static_cast<Nest*>(env);
  Instance::Started inner = must(Instance::create(shared.program, {}, nullptr, {}));
  Outcome outcome = std::move(inner.outcome);
  if (inner.instance)
    outcome = inner.instance->call(must(inner.instance->function("run")), std::span(values, 1), {.wall = 10s});
  if (outcome.completed()) return true;
  if (shared.innermost.empty()) shared.innermost = outcome.message();
  context.trap("nested");
  return false;
}

TEST_P(Limits, RecursionThroughHostFunctionsIsATrap) {
  Nest shared;
  const std::vector<HostImport> imports = {{"env", "nest", {{}, {ValType::i32}}, &nest, &shared}};
  shared.program = program_of(
      engine_,
      R"((module (import "env" "nest" (func $nest (result i32))) (func (export "run") (result i32) call $nest)))",
      imports);
  auto instance = instance_of(shared.program);
  EXPECT_EQ(call(*instance, "run").outcome.message(), "trapped: host function failed: nested");
  EXPECT_EQ(shared.innermost,
            "trapped: native stack overflow: guests call each other through host functions too deeply for this thread");
}

TEST(EngineOptions, StackOutsideItsBoundsIsRefused) {
  for (const std::uint64_t bytes : {kStackBytesMin - 1, kStackBytesMax + 1}) {
    EngineOptions options = small_engine(Stopping::none);
    options.stack_bytes = bytes;
    const auto engine = Engine::create(options);
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().message,
              "engine: stack_bytes is " + std::to_string(bytes) + "; allowed are 16 KiB to 8 MiB");
  }
  for (const std::uint64_t bytes : {kStackBytesMin, kStackBytesMax}) {
    EngineOptions options = small_engine(Stopping::none);
    options.stack_bytes = bytes;
    EXPECT_TRUE(Engine::create(options));
  }
}

TEST(Pool, InstancesBeyondItRunOnDemand) {
  const auto engine = must(Engine::create(small_engine(Stopping::time, Profile::fast, 2)));
  const auto program =
      program_of(engine, R"((module (memory (export "memory") 1) (func (export "f") (result i32) i32.const 7)))");
  std::vector<std::unique_ptr<Instance>> alive;
  for (int i = 0; i < 5; ++i) alive.push_back(instance_of(program));
  for (auto& instance : alive) EXPECT_EQ(call(*instance, "f").values[0].i32, 7);
}

TEST(Pool, MemoriesTooLargeForASlotRunOnDemand) {
  const auto engine = must(Engine::create(small_engine(Stopping::time, Profile::fast, 2)));  // slots of 16 MiB
  auto instance = instance_of(program_of(engine, R"((module (memory (export "memory") 400)))"));
  EXPECT_EQ(instance->memory().size(), 400 * kWasmPageBytes);
  auto grows = instance_of(program_of(engine, kGrower), {.memory_bytes = 40u << 20});
  EXPECT_EQ(call(*grows, "grow", {i32(600)}).values[0].i32, 2);
}

TEST(Validate, ProposalsOutsideTheContractAreRefused) {
  const auto engine = must(Engine::create(small_engine(Stopping::time)));
  for (const char* wat : {"(module (memory 1) (memory 1))", "(module (memory 1 1 shared))",
                          "(module (memory 1) (func i32.const 0 i32.atomic.load drop))"}) {
    const auto valid = engine->validate(test::wat(wat));
    ASSERT_FALSE(valid) << wat;
    EXPECT_EQ(valid.error().code, base::Errc::invalid);
    EXPECT_EQ(valid.error().name, "COMPILE");
  }
  // A memory of byte pages, as the pass adds one; wabt cannot write it.
  base::Bytes byte_pages;
  for (const int byte : std::initializer_list<int>{0, 'a', 's', 'm', 1, 0, 0, 0, 5, 5, 1, 9, 8, 8, 0})
    byte_pages.push_back(std::byte(byte));
  const auto code = Code::compile(engine, byte_pages);
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().code, base::Errc::invalid);
  EXPECT_EQ(code.error().message,
            "module is not valid WebAssembly: the custom page sizes proposal must be enabled to customize a memory's "
            "page size (at offset 0xb)");
  EXPECT_TRUE(engine->validate(test::wat("(module (memory 1))")));
}

TEST(Validate, ExternrefIsRefusedByName) {
  const auto engine = must(Engine::create(small_engine(Stopping::time)));
  for (const char* wat :
       {"(module (func (param externref)))", "(module (func (local externref)))", "(module (table 1 externref))",
        "(module (global externref (ref.null extern)))", "(module (func (drop (ref.null extern))))"}) {
    SCOPED_TRACE(wat);
    const auto code = Code::compile(engine, test::wat(wat));
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().code, base::Errc::unsupported);
    EXPECT_EQ(code.error().name, "COMPILE");
    EXPECT_EQ(
        code.error().message.find("module uses externref, which is not accepted; of reference types funcref is (at "
                                  "offset 0x"),
        0u)
        << code.error().message;
  }
}

// Everything reference types offer for functions, ticks counted.
TEST(Validate, FuncrefIsAccepted) {
  const auto engine = must(Engine::create(small_engine(Stopping::ticks)));
  auto instance = instance_of(program_of(engine, R"((module
    (table $t 2 funcref) (table $other 1 funcref) (elem declare func $seven) (type $answers (func (result i32)))
    (func $seven (result i32) (i32.const 7))
    (func $same (param funcref) (result funcref) (local.get 0))
    (func (export "run") (result i32) (local $f funcref)
      (local.set $f (call $same (ref.func $seven)))
      (table.set $t (i32.const 1) (select (result funcref) (local.get $f) (ref.null func) (i32.const 1)))
      (if (ref.is_null (table.get $t (i32.const 1))) (then (return (i32.const -1))))
      (if (i32.ne (table.grow $t (local.get $f) (i32.const 2)) (i32.const 2)) (then (return (i32.const -2))))
      (table.fill $t (i32.const 0) (local.get $f) (i32.const 1))
      (table.copy $other $t (i32.const 0) (i32.const 3) (i32.const 1))
      (i32.add (call_indirect $other (type $answers) (i32.const 0)) (table.size $t)))))"));
  const Called ran = call(*instance, "run");
  EXPECT_TRUE(ran.outcome.completed()) << ran.outcome.message();
  EXPECT_EQ(ran.values[0].i32, 11);
  EXPECT_GT(ran.outcome.usage.ticks, 20u);
}

TEST(Validate, GarbageIsRefusedWithItsPlace) {
  const auto engine = must(Engine::create(small_engine(Stopping::time)));
  const auto code = Code::compile(engine, base::as_bytes("\0asm\1\0\0\0\xff"));
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().code, base::Errc::invalid);
  EXPECT_EQ(code.error().message.find("module is not valid WebAssembly: "), 0u) << code.error().message;
}

TEST(Validate, ReservedExportNamesAreRefused) {
  const auto engine = must(Engine::create(small_engine(Stopping::time)));
  const auto code = Code::compile(engine, test::wat(R"((module (func (export "fusebox:start"))))"));
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().message,
            "export \"fusebox:start\": names that start with \"fusebox:\" belong to the host; rename the export");
}

}  // namespace
}  // namespace fusebox::engine
