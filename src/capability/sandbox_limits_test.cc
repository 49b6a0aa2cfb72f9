// Limits that hold in every phase, and what stops an execution from outside: contract capability.md 2.1 and 4.
#include <thread>

#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string module_with(std::string_view fields) {
  return "(module (memory (export \"memory\") 1) " + std::string(fields) + ")";
}

class Limits : public SandboxTest {
 protected:
  static Policy quick() {
    Policy policy;
    policy.limits.cpu_ms = 20;
    return policy;
  }
};

TEST_F(Limits, ALoopIsStoppedInEveryPhase) {
  struct Case {
    const char* name;
    const char* fields;
    const char* phase;
  };
  const Case cases[] = {
      {"entry", R"((func (export "run") (loop $l (br $l))))", "(in run)"},
      {"start function", R"((func $s (loop $l (br $l))) (start $s) (func (export "run")))", "(in the start function)"},
      {"_initialize", R"((func (export "_initialize") (loop $l (br $l))) (func (export "run")))", "(in _initialize)"},
      {"allocator", R"((func (export "malloc") (param i32) (result i32) (loop $l (br $l)) i32.const 0)
         (func (export "run") (param i32 i32)))",
       "(in malloc)"},
      {"result length", R"((func (export "run") (param i32 i32) (result i32) i32.const 8)
         (func (export "femto_result_len") (result i32) (loop $l (br $l)) i32.const 0))",
       "(in femto_result_len)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Report report = run(module_with(c.fields), "x", quick());
    EXPECT_EQ(report.code, "CPU_LIMIT");
    EXPECT_EQ(report.outcome.kind(), "stopped");
    EXPECT_THAT(report.message, HasSubstr(c.phase));
    EXPECT_GE(report.usage.cpu_us, 15'000u);
  }
}

TEST_F(Limits, ALoopInReleaseIsStoppedAndTheResultKept) {
  const Report report = run(module_with(R"((func (export "run") (param i32 i32) (result i32) local.get 0)
      (func (export "malloc") (param i32) (result i32) i32.const 1024) (func (export "free") (param i32) (loop $l (br $l))))"),
                            "1", quick());
  EXPECT_EQ(report.code, "");
  EXPECT_EQ(report.result, "1");
  EXPECT_THAT(report.release_trap, HasSubstr("CPU time limit"));
}

TEST_F(Limits, OneBudgetServesAllCalls) {
  Policy policy;
  policy.limits.ticks = 10'000;
  // Each of the two loops fits the budget alone, both together do not.
  const std::string half =
      R"((local $i i32) (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000)))))";
  const std::string both = module_with("(func (export \"_initialize\") " + half + ") (func (export \"run\") " + half +
                                       ") (func (export \"light\"))");
  EXPECT_EQ(run(both, {}, policy, "_initialize").code, "");
  EXPECT_EQ(run(both, {}, policy, "light").code, "");
  const Report report = run(both, {}, policy);
  EXPECT_EQ(report.code, "TICK_LIMIT");
  EXPECT_EQ(report.outcome.kind(), "stopped");
}

TEST_F(Limits, TicksAreExactAndTheSameEachTime) {
  Policy policy;
  policy.limits.ticks = 1'000'000;
  const std::string text = module_with(R"((func (export "run") (local $i i32)
      (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))))");
  const Report first = run(text, {}, policy);
  EXPECT_EQ(first.code, "");
  EXPECT_GT(first.usage.ticks, 400u);
  EXPECT_EQ(run(text, {}, policy).usage.ticks, first.usage.ticks);
  policy.limits.ticks = first.usage.ticks;
  EXPECT_EQ(run(text, {}, policy).code, "");
  policy.limits.ticks = first.usage.ticks - 1;
  EXPECT_EQ(run(text, {}, policy).code, "TICK_LIMIT");
}

TEST_F(Limits, WallTimeIsKept) {
  Policy policy;
  policy.limits.wall_ms = 20;
  const Report report = run(module_with(R"((func (export "run") (loop $l (br $l))))"), {}, policy);
  EXPECT_EQ(report.code, "WALL_LIMIT");
  EXPECT_EQ(report.outcome.kind(), "stopped");
}

TEST_F(Limits, EndlessRecursionIsAStackOverflow) {
  Policy policy;
  policy.limits.stack_bytes = 64u << 10;
  const Report report = run(module_with(R"((func $f (export "run") (call $f)))"), {}, policy);
  EXPECT_EQ(report.code, "STACK_OVERFLOW");
  EXPECT_EQ(report.outcome.kind(), "trapped");
}

TEST_F(Limits, MemoryAboveTheLimitIsRefusedAtLoadAndAtGrowth) {
  Policy policy;
  policy.limits.memory_bytes = 2 * policy::kPageBytes + 100;
  EXPECT_EQ(run(R"((module (memory (export "memory") 2) (func (export "run"))))", {}, policy).code, "");
  const Report initial = run(R"((module (memory (export "memory") 3) (func (export "run"))))", {}, policy);
  EXPECT_EQ(initial.code, "MEMORY_LIMIT");
  EXPECT_THAT(initial.message, HasSubstr("the limit is 2 pages"));
  EXPECT_EQ(initial.outcome.kind(), "stopped");
  EXPECT_EQ(initial.reason, "memory");
  const auto* stopped = std::get_if<engine::Stopped>(&initial.outcome.how);
  ASSERT_NE(stopped, nullptr);
  EXPECT_EQ(stopped->limit, engine::Limit::memory);
  const std::string grows = module_with(R"((func (export "run")
      (if (i32.ne (memory.grow (i32.const 1)) (i32.const 1)) (then unreachable))
      (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))))");
  const Report report = run(grows, {}, policy);
  EXPECT_EQ(report.code, "") << report.message;
  EXPECT_EQ(report.usage.peak_memory_bytes, 2 * policy::kPageBytes);
}

TEST_F(Limits, TablesCannotGrowAboveTheLimit) {
  Policy policy;
  policy.limits.table_elements = 10;
  const std::string grows = R"((module (table 8 funcref) (func (export "run")
      (if (i32.ne (table.grow 0 (ref.null func) (i32.const 2)) (i32.const 8)) (then unreachable))
      (if (i32.ne (table.grow 0 (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable)))))";
  const Report report = run(grows, {}, policy);
  EXPECT_EQ(report.code, "") << report.message;
  const Report initial = run(R"((module (table 11 funcref) (func (export "run"))))", {}, policy);
  EXPECT_EQ(initial.code, "MEMORY_LIMIT");
  EXPECT_EQ(initial.outcome.kind(), "stopped");
}

TEST_F(Limits, TrapsKeepTheirKind) {
  struct Case {
    const char* body;
    engine::TrapKind kind;
    const char* text;
  };
  const Case cases[] = {
      {"unreachable", engine::TrapKind::unreachable, "unreachable (in run)"},
      {"(drop (i32.div_s (i32.const 1) (i32.const 0)))", engine::TrapKind::integer_divide_by_zero,
       "integer divide by zero (in run)"},
      {"(drop (i32.load (i32.const 65533)))", engine::TrapKind::memory_out_of_bounds,
       "out of bounds memory access (in run)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Report report = run(module_with("(func (export \"run\") " + std::string(c.body) + ")"));
    EXPECT_EQ(report.code, "TRAP");
    EXPECT_EQ(report.message, c.text);
    ASSERT_TRUE(std::holds_alternative<engine::Trapped>(report.outcome.how));
    EXPECT_EQ(std::get<engine::Trapped>(report.outcome.how).kind, c.kind);
  }
}

TEST_F(Limits, SettersAndPolicyCombineAsTheSmaller) {
  const std::string pages = module_with(
      R"((func (export "run") (if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))))");
  Policy policy;
  policy.limits.memory_bytes = 4 * policy::kPageBytes;
  Sandbox one = sandbox(policy);
  const Module module = must(one.load(test::wat(pages)));
  one.set_memory_limit(2 * policy::kPageBytes);
  EXPECT_EQ(run(one, module).code, "TRAP");
  one.set_memory_limit(8 * policy::kPageBytes);
  EXPECT_EQ(run(one, module).code, "");
  one.set_memory_limit(0);
  EXPECT_EQ(run(one, module).code, "");

  const Module spin = must(one.load(test::wat(module_with(R"((func (export "run") (loop $l (br $l))))"))));
  one.set_cpu_limit(10ms);
  EXPECT_EQ(run(one, spin).code, "CPU_LIMIT");
  one.set_cpu_limit(0ns);
  one.set_wall_limit(10ms);
  EXPECT_EQ(run(one, spin).code, "WALL_LIMIT");
  one.set_wall_limit(0ns);
  one.set_tick_limit(1000);
  EXPECT_EQ(run(one, spin).code, "TICK_LIMIT");
  one.set_tick_limit(0);
  one.set_cpu_limit(10ms);
  EXPECT_EQ(run(one, spin).code, "CPU_LIMIT");
}

TEST_F(Limits, MemoryStopsAreCounted) {
  Sandbox one = sandbox();
  const Module big = must(one.load(test::wat(R"((module (memory 4000) (func (export "run"))))")));
  EXPECT_EQ(run(one, big).code, "MEMORY_LIMIT");
  EXPECT_EQ(one.stats().stopped_memory, 1u);
  EXPECT_EQ(one.stats().failed, 1u);
}

TEST_F(Limits, AnotherThreadCanCancel) {
  Sandbox one = sandbox();
  const Module spin = must(one.load(test::wat(module_with(R"((func (export "run") (loop $l (br $l))))"))));
  const ExecutionId id = one.new_execution_id();
  EXPECT_FALSE(one.cancel(id)) << "it does not run yet";
  Report report;
  std::thread runner([&] { report = one.run({&spin, "run", {}, id}); });
  while (!one.cancel(id)) std::this_thread::yield();
  runner.join();
  EXPECT_EQ(report.code, "CANCELLED");
  EXPECT_EQ(report.id, id);
  EXPECT_EQ(report.outcome.kind(), "stopped");
  EXPECT_FALSE(one.cancel(id));
  EXPECT_EQ(one.stats().stopped_cancelled, 1u);
  EXPECT_EQ(one.stats().running, 0u);
}

TEST_F(Limits, AnotherThreadCanCancelTheStartFunction) {
  Sandbox one = sandbox();
  const Module spin =
      must(one.load(test::wat(module_with(R"((func $s (loop $l (br $l))) (start $s) (func (export "run")))"))));
  Report report;
  std::thread runner([&] { report = run(one, spin); });
  while (one.cancel_all() == 0) std::this_thread::yield();
  runner.join();
  EXPECT_EQ(report.code, "CANCELLED");
}

TEST_F(Limits, TicksOfAStartFunctionThatIsStoppedAreReported) {
  Sandbox one = sandbox();
  one.set_tick_limit(1000);
  const Module spin =
      must(one.load(test::wat(module_with(R"((func $s (loop $l (br $l))) (start $s) (func (export "run")))"))));
  const Report report = run(one, spin);
  EXPECT_EQ(report.code, "TICK_LIMIT");
  EXPECT_GT(report.usage.ticks, 900u);
  EXPECT_LE(report.usage.ticks, 1000u);
}

TEST_F(Limits, TheExecutionAfterTheLastAllowedIsBusy) {
  Policy policy;
  policy.limits.concurrent = 1;
  Sandbox one = sandbox(policy);
  const Module spin = must(one.load(test::wat(module_with(R"((func (export "run") (loop $l (br $l))))"))));
  const Module quiet = must(one.load(test::wat(module_with(R"((func (export "run")))"))));
  std::thread runner([&] { EXPECT_EQ(run(one, spin).code, "CANCELLED"); });
  while (one.stats().running == 0) std::this_thread::yield();
  const Report busy = run(one, quiet);
  EXPECT_EQ(busy.code, "BUSY");
  EXPECT_EQ(busy.message, "limits.concurrent allows 1 executions at once; all are running");
  while (one.cancel_all() == 0) std::this_thread::yield();
  runner.join();
  EXPECT_EQ(run(one, quiet).code, "");
}

TEST_F(Limits, OtherIsolationIsRefusedBySentence) {
  for (const auto& [isolation, name] :
       {std::pair{policy::Isolation::process, "process"}, {policy::Isolation::vm, "vm"}}) {
    Policy policy;
    policy.isolation = isolation;
    const auto made = Sandbox::create(policy, options());
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().name, "POLICY_INVALID");
    EXPECT_EQ(made.error().message,
              "isolation \"" + std::string(name) + "\" is not available in this build; \"thread\" is");
    Sandbox late{policy};
    EXPECT_EQ(run(late, must(Module::from_bytes(test::wat("(module (func (export \"run\")))")))).code,
              "POLICY_INVALID");
  }
}

TEST_F(Limits, WhatCannotBeMeteredRunsOnlyWhenThePolicyPrefers) {
  // An atomic access: the pass does not know threads.
  const base::Bytes threads = test::wat(
      R"((module (memory (export "memory") 1) (func (export "run") (drop (i32.atomic.load (i32.const 0))))))");
  Sandbox strict = sandbox();
  const auto refused = strict.load(threads);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().name, "COMPILE");
}

}  // namespace
}  // namespace fusebox::capability
