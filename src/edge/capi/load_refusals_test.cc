// Contract 1.2, 3.2, 3.3 and 4; rows 3, 4, 5, 7, 8, 10 of section 15: what a load refuses, with which line, and what it
// accepts right beside.
#include <algorithm>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string step_and(std::string_view more) {
  return "(module " + std::string(more) + " (func (export \"module_step\")))";
}

class Refusals : public FuseTest {
 protected:
  static constexpr fuse_module_id_t kUntouched = 0xC0FFEE;

  // The FATAL line that a refused load left; "" when it was accepted (and unloaded again).
  static std::string refusal(const base::Bytes& wasm, const fuse_policy_t& policy = any_policy(),
                             const fuse_policy_ext_t* ext = nullptr) {
    fuse_module_id_t id = kUntouched;
    const fuse_stat_t status = try_load(wasm, policy, &id, ext);
    if (status == FUSE_SUCCESS) {
      fuse_module_unload(id);
      return "";
    }
    EXPECT_EQ(status, FUSE_ERR_MODULE_LOAD_FAILED);
    EXPECT_EQ(id, kUntouched);
    const fuse_log_record_t last = records().back();
    EXPECT_EQ(last.entry.module_id, kNone);
    EXPECT_EQ(last.entry.level, static_cast<std::uint32_t>(FUSE_LOG_FATAL));
    EXPECT_EQ(last.origin, static_cast<std::uint32_t>(FUSE_LOG_ORIGIN_RUNTIME));
    return last.entry.message;
  }
  static std::string refusal(std::string_view text, const fuse_policy_t& policy = any_policy(),
                             const fuse_policy_ext_t* ext = nullptr) {
    return refusal(fusebox::test::wat(text), policy, ext);
  }
  static base::Bytes bytes(std::initializer_list<int> values) {
    base::Bytes out;
    for (const int value : values) out.push_back(static_cast<std::byte>(value));
    return out;
  }
  static fuse_policy_t pages(std::uint32_t max) {
    fuse_policy_t policy = any_policy();
    policy.memory_pages_max = max;
    return policy;
  }
};

TEST_F(Refusals, WhatIsNotAModule) {
  EXPECT_THAT(refusal(bytes({0})), StartsWith("wasm_runtime_load failed: "));
  EXPECT_THAT(refusal(bytes({0, 'a', 's', 'm'})), StartsWith("wasm_runtime_load failed: "));
  EXPECT_THAT(refusal(bytes({0, 'a', 's', 'm', 2, 0, 0, 0})), StartsWith("wasm_runtime_load failed: "));
  EXPECT_THAT(refusal(bytes({0, 'a', 's', 'm', 0x0d, 0, 1, 0})), StartsWith("wasm_runtime_load failed: "));
  EXPECT_EQ(refusal(bytes({0, 'a', 'o', 't', 6, 0, 0, 0})),
            "wasm_runtime_load failed: WAMR AOT image; load the .wasm it was built from");
  EXPECT_EQ(refusal(bytes({0, 'a', 's', 'm', 1, 0, 0, 0})), "module_step export not found");
}

TEST_F(Refusals, AModuleOfWhichAnyByteIsMissing) {
  const base::Bytes whole = fusebox::test::wat(kNothing);
  EXPECT_EQ(refusal(whole), "");
  for (std::size_t size = 9; size + 20 < whole.size(); ++size)
    EXPECT_NE(refusal(base::Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "") << size;
}

TEST_F(Refusals, InvalidCodeBeforeAnyOfItRuns) {
  // module_step with a body that pops what is not there: i32.add; end.
  base::Bytes wasm = bytes({0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 15, 1, 11});
  for (const char c : std::string_view("module_step")) wasm.push_back(static_cast<std::byte>(c));
  for (const int b : {0, 0, 10, 5, 1, 3, 0, 0x6a, 0x0b}) wasm.push_back(static_cast<std::byte>(b));
  EXPECT_THAT(refusal(wasm), StartsWith("wasm_runtime_load failed: "));
}

TEST_F(Refusals, FeaturesThatAreNotAccepted) {
  EXPECT_THAT(refusal(step_and("(memory 1 1 shared)")), StartsWith("wasm_runtime_load failed: "));
  EXPECT_THAT(refusal(step_and("(memory 1) (memory 1)")), StartsWith("wasm_runtime_load failed: "));
  EXPECT_THAT(refusal(step_and("(memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0))))")),
              StartsWith("wasm_runtime_load failed: "));
}

TEST_F(Refusals, FeaturesThatAre) {
  EXPECT_EQ(refusal(step_and("(global (export \"g\") (mut i32) (i32.const 1))")), "");
  EXPECT_EQ(refusal(step_and("(func (drop (i32.extend8_s (i32.const 1))))")), "");
  EXPECT_EQ(refusal(step_and("(func (drop (i32.trunc_sat_f32_s (f32.const 1))))")), "");
  EXPECT_EQ(refusal(step_and("(func (result i32 i32) (i32.const 1) (i32.const 2))")), "");
  EXPECT_EQ(refusal(step_and("(memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 1)))")), "");
  EXPECT_EQ(refusal(step_and("(table $t 1 funcref) (func (table.set $t (i32.const 0) (ref.null func)))")), "");
  EXPECT_EQ(refusal(step_and("(func (drop (i32x4.splat (i32.const 1))))")), "");
}

TEST_F(Refusals, ExportsOfTheWrongKindOrType) {
  EXPECT_EQ(refusal("(module (func))"), "module_step export not found");
  EXPECT_EQ(refusal("(module (memory (export \"module_step\") 1))"), "module_step export not found");
  EXPECT_EQ(refusal("(module (func (export \"module_step\") (result i32) (i32.const 1)))"),
            "module_step export type mismatch");
  EXPECT_EQ(refusal("(module (func (export \"module_step\") (param i32)))"), "module_step export type mismatch");
  for (const char* name : {"module_init", "module_deinit"}) {
    const std::string mismatch = std::string(name) + " export type mismatch";
    const auto exported = [&](const char* what) { return step_and(std::string("(") + what + ")"); };
    EXPECT_EQ(refusal(exported((std::string("func (export \"") + name + "\") (param i32)").c_str())), mismatch);
    EXPECT_EQ(refusal(exported((std::string("func (export \"") + name + "\") (result f64) (f64.const 1)").c_str())),
              mismatch);
    EXPECT_EQ(refusal(exported((std::string("memory (export \"") + name + "\") 1").c_str())), mismatch);
    EXPECT_EQ(refusal(exported((std::string("func (export \"") + name + "\")").c_str())), "");
  }
  EXPECT_EQ(refusal(step_and("(func (export \"module_migrate\") (param i32 i32))")), "");  // other exports are ignored
}

TEST_F(Refusals, ImportsThatAreNotThere) {
  EXPECT_EQ(refusal(step_and("(import \"env\" \"nothing\" (func))")),
            "instantiate failed: import env.nothing not provided");
  EXPECT_EQ(refusal(step_and("(import \"ENV\" \"temp_get_reading\" (func (result f32)))")),
            "instantiate failed: import ENV.temp_get_reading not provided");
  EXPECT_EQ(refusal(step_and("(import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32)))")),
            "instantiate failed: import wasi_snapshot_preview1.proc_exit not provided");
  EXPECT_EQ(refusal(step_and("(import \"env\" \"gpio_read\" (func (param i32) (result i32)))")),
            "instantiate failed: import env.gpio_read not provided");  // this HAL has no such member
}

TEST_F(Refusals, ImportsOfAnotherType) {
  for (const auto& [field, right, wrong] :
       {std::array<const char*, 3>{"temp_get_reading", "(result f32)", "(result i32)"},
        {"timer_get_timestamp", "(result i64)", "(param i32) (result i64)"},
        {"camera_last_frame", "(param i32 i32) (result i64)", "(param i32 i32) (result i32)"},
        {"module_log_event", "(param i32 i32 i32)", "(param i32 i32)"},
        {"fuse_event_post", "(param i32)", "(param i32) (result i32)"}}) {
    const auto text = [&](const char* type) {
      return step_and(std::string("(import \"env\" \"") + field + "\" (func " + type + "))");
    };
    EXPECT_EQ(refusal(text(right)), "");
    EXPECT_EQ(refusal(text(wrong)), std::string("instantiate failed: import env.") + field + " type mismatch");
  }
}

TEST_F(Refusals, ImportsOfAnotherKind) {
  for (const char* what : {"memory 1", "table 1 funcref", "global i32"}) {
    EXPECT_EQ(refusal(step_and(std::string("(import \"env\" \"temp_get_reading\" (") + what + "))")),
              "instantiate failed: import env.temp_get_reading not a function");
  }
  EXPECT_EQ(refusal(step_and("(import \"any\" \"memory\" (memory 1))")),
            "instantiate failed: import any.memory not a function");
}

TEST_F(Refusals, UngrantedImportsUnderTheOption) {
  const std::string text = step_and("(import \"env\" \"temp_get_reading\" (func (result f32)))");
  EXPECT_EQ(refusal(text, any_policy(0)), "");
  fuse_options_t strict = options();
  strict.strict_imports = 1;
  ASSERT_EQ(reopen(strict), FUSE_SUCCESS);
  EXPECT_THAT(refusal(text, any_policy(0)), HasSubstr("env.temp_get_reading"));
  EXPECT_EQ(refusal(text, any_policy(FUSE_CAP_TEMP_SENSOR)), "");
}

TEST_F(Refusals, UnknownBitsAreIgnoredAndSaidOrRefusedUnderTheOption) {
  fuse_policy_t policy = any_policy(0x80000000 | FUSE_CAP_LOG);
  policy.activation_mask = 0x12;
  const auto id = load(kNothing, policy);
  EXPECT_EQ(last_line(), "1 0 module 0 policy: unknown bits ignored cap=0x80000000 act=0x00000010");
  EXPECT_EQ(info(id).policy.capabilities, static_cast<std::uint32_t>(FUSE_CAP_LOG));
  const auto clamped = load(kNothing, pages(65537));
  EXPECT_EQ(last_line(), "1 1 module 1 policy: unknown bits ignored cap=0x00000000 act=0x00000000");
  EXPECT_EQ(info(clamped).policy.memory_pages_max, 65536u);

  fuse_options_t strict = options();
  strict.strict_policy = 1;
  ASSERT_EQ(reopen(strict), FUSE_SUCCESS);
  const base::Bytes wasm = fusebox::test::wat(kNothing);
  fuse_module_id_t out = kUntouched;
  EXPECT_EQ(try_load(wasm, policy, &out), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(try_load(wasm, pages(65537), &out), FUSE_ERR_INVALID_ARG);
  fuse_policy_t activation = any_policy();
  activation.activation_mask = 8;
  EXPECT_EQ(try_load(wasm, activation, &out), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(out, kUntouched);
  EXPECT_EQ(try_load(wasm, pages(65536), &out), FUSE_SUCCESS);
}

TEST_F(Refusals, AMaskOfUnknownActivationBitsIsNeverTicked) {
  fuse_policy_t policy = any_policy();
  policy.activation_mask = 0x18;
  const auto id = run(kNothing, policy);
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
}

TEST_F(Refusals, InitialMemoryAboveThePolicy) {
  EXPECT_EQ(refusal(step_and("(memory 4)"), pages(3)), "instantiate failed: memory min 4 pages exceeds policy max 3");
  EXPECT_EQ(refusal(step_and("(memory 4)"), pages(4)), "");
  EXPECT_EQ(refusal(step_and("(memory 4)"), pages(0)), "");
  fuse_options_t capped = options();
  capped.memory_pages_cap = 3;
  ASSERT_EQ(reopen(capped), FUSE_SUCCESS);
  EXPECT_EQ(refusal(step_and("(memory 4)"), pages(0)), "instantiate failed: memory min 4 pages exceeds policy max 3");
  EXPECT_EQ(refusal(step_and("(memory 3)"), pages(0)), "");
}

TEST_F(Refusals, MemoryGrowsToTheLeastOfItsLimits) {
  const auto grown = [&](const char* memory, std::uint32_t max) {
    const auto id = run(step_and(std::string(memory) + R"((func (export "module_init")
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))))"),
                        pages(max));
    EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);  // a refused growth is no trap
    const std::uint32_t out = info(id).pages;
    EXPECT_EQ(info(id).pages_peak, out);
    fuse_module_unload(id);
    return out;
  };
  EXPECT_EQ(grown("(memory 1)", 5), 5u);
  EXPECT_EQ(grown("(memory 1 3)", 5), 3u);
  EXPECT_EQ(grown("(memory 1 9)", 5), 5u);
  EXPECT_EQ(grown("(memory 1 9)", 0), 9u);
  fuse_options_t capped = options();
  capped.memory_pages_cap = 7;
  ASSERT_EQ(reopen(capped), FUSE_SUCCESS);
  EXPECT_EQ(grown("(memory 1)", 0), 7u);
  EXPECT_EQ(grown("(memory 1)", 9), 7u);
}

TEST_F(Refusals, TheHeapSizeAddsNoAddresses) {
  fuse_policy_t policy = any_policy();
  policy.heap_size = 1u << 20;
  const auto id =
      run("(module (memory 1 1) (func (export \"module_step\") (drop (i32.load8_u (i32.const 65536)))))", policy);
  EXPECT_EQ(info(id).pages, 1u);
  EXPECT_EQ(info(id).policy.heap_size, 1u << 20);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP);
}

TEST_F(Refusals, AStartFunctionThatTrapsCallsAnImportOrDoesNotEnd) {
  EXPECT_EQ(refusal("(module (start $s) (func $s unreachable) (func (export \"module_step\")))"),
            "instantiate failed: Exception: unreachable");
  const std::string rogue = R"((module (import "env" "module_log_event" (func $log (param i32 i32 i32))) (memory 1)
      (start $s) (func $s (call $log (i32.const 0) (i32.const 1) (i32.const 1))) (func (export "module_step"))))";
  EXPECT_EQ(refusal(rogue), "instantiate failed: Exception: FUSE: rogue exec_env");
  EXPECT_EQ(line_before_last(), "2 -1 rogue exec_env");
  fuse_policy_ext_t ext = extension();
  ext.init_budget_us = 2000;
  EXPECT_THAT(
      refusal("(module (start $s) (func $s (loop $l (br $l))) (func (export \"module_step\")))", any_policy(), &ext),
      StartsWith("instantiate failed: "));
  EXPECT_EQ(refusal("(module (start $s) (func $s) (func (export \"module_step\")))"), "");
}

TEST_F(Refusals, AStartFunctionsBudgetIsTheRuntimesWithoutAnExtension) {
  fuse_options_t quick = options();
  quick.lifecycle_budget_us = 2000;
  ASSERT_EQ(reopen(quick), FUSE_SUCCESS);
  EXPECT_THAT(refusal("(module (start $s) (func $s (loop $l (br $l))) (func (export \"module_step\")))"),
              StartsWith("instantiate failed: "));
}

TEST_F(Refusals, ABodyThatIsCopiedMayBeOverwritten) {
  base::Bytes wasm = fusebox::test::wat(kNothing);
  base::Bytes shifted(wasm.size() + 1);
  std::copy(wasm.begin(), wasm.end(), shifted.begin() + 1);  // no alignment
  const fuse_policy_t policy = any_policy();
  fuse_module_id_t id = kNone;
  ASSERT_EQ(fuse_module_load(reinterpret_cast<const std::uint8_t*>(shifted.data() + 1),
                             static_cast<std::uint32_t>(wasm.size()), &policy, &id),
            FUSE_SUCCESS);
  std::ranges::fill(shifted, std::byte{0xFF});
  shifted.clear();
  shifted.shrink_to_fit();
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_reset(id), FUSE_SUCCESS);  // from the runtime's own copy
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
}

TEST_F(Refusals, PoolOf512KiBHoldsEightModulesOf4KiB) {
  const std::string text = step_and("(memory 1) (data (i32.const 0) \"" + std::string(4000, 'x') + "\")");
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_EQ(run(text), i);
  EXPECT_EQ(fuse_tick(), 0xFFu);
}

TEST_F(Refusals, AFullPoolIsSaidAndTheSlotStaysFree) {
  const std::string text = step_and("(memory 4) (data (i32.const 0) \"" + std::string(200'000, 'x') + "\")");
  EXPECT_EQ(load(text), 0u);
  EXPECT_EQ(load(text), 1u);
  EXPECT_THAT(refusal(text), StartsWith("wasm_runtime_load failed: module memory is full"));
  fuse_module_unload(0);
  EXPECT_EQ(load(text), 0u);
}

TEST_F(Refusals, EachInstanceOfTheSameBytesHasItsOwnMemory) {
  const std::string text = with_imports(
      "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"
      "(if (i32.gt_u (i32.load (i32.const 0)) (i32.const 2)) (then unreachable))");
  const auto a = run(text);
  const auto b = run(text);
  EXPECT_EQ(fuse_module_run_step(a), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(a), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(a), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(fuse_module_run_step(b), FUSE_SUCCESS);
}

}  // namespace
}  // namespace fusebox::edge::test
