#include "engine/meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "engine/inspect.h"
#include "engine/limits.h"
#include "engine/wasmtime_test_support.h"

namespace fusebox::engine {
namespace {

using namespace testing;
using ::testing::HasSubstr;

const BareEngine& engine() {
  static const BareEngine shared;
  return shared;
}

struct Guest {
  MeterMap map;
  std::unique_ptr<BareModule> module;
  std::unique_ptr<BareInstance> instance;
};

Guest guest(std::string_view text, const MeterOptions& options = {}) {
  Guest out;
  const auto wasm = assemble(text);
  EXPECT_TRUE(wasm) << wasm.error();
  if (!wasm) return out;
  auto metered = meter(*wasm, options);
  EXPECT_TRUE(metered) << metered.error().message;
  if (!metered) return out;
  out.map = std::move(metered->map);
  auto module = BareModule::compile(engine(), metered->wasm);
  EXPECT_TRUE(module) << module.error();
  if (!module) return out;
  out.module = std::make_unique<BareModule>(std::move(*module));
  auto instance = BareInstance::create(*out.module);
  EXPECT_TRUE(instance) << instance.error();
  if (instance) out.instance = std::move(*instance);
  return out;
}

// ---- ticks, worked out by hand as docs/ticks.md says; the sums stand in the comments

struct TickCase {
  const char* name;
  const char* text;  // exports f
  std::vector<std::int64_t> arguments;
  std::int64_t ticks;
};

const TickCase kTickCases[] = {
    {"an empty function is free", R"((module (func (export "f"))))", {}, 0},
    // local.get, local.get, i32.add
    {"straight code",
     R"((module (func (export "f") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))))",
     {1, 2},
     3},
    // `else` and `end` are free; both arms count: local.get, if, const, nop, const
    {"both arms of an if",
     R"((module (func (export "f") (param i32) (result i32)
       (if (result i32) (local.get 0) (then (i32.const 1)) (else (nop) (i32.const 2))))))",
     {1},
     5},
    // Also what cannot be reached: br, const, drop, after block
    {"dead code counts", R"((module (func (export "f") (block (br 0) (drop (i32.const 1))))))", {}, 4},
    // body: loop = 1; loop: local.get, const, sub, local.tee, br_if = 5, three times
    {"a loop, each time round",
     R"((module (func (export "f") (param i32)
       (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))))",
     {3},
     1 + 3 * 5},
    // outer body: const, local.set, loop(inner), local.get, const, sub, local.tee, br_if = 8; inner: 5
    {"loops in loops",
     R"((module (func (export "f") (param i32) (local i32)
       (loop (local.set 1 (i32.const 4))
         (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
         (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))))",
     {3},
     1 + 3 * (8 + 4 * 5)},
    // f: call, call = 2; g: nop = 1 each
    {"calls", R"((module (func $g (nop)) (func (export "f") (call $g) (call $g))))", {}, 2 + 2},
    // local.get x3, memory.fill = 4, and 100 / 8 = 12
    {"a fill by its length",
     R"((module (memory 1) (func (export "f") (param i32 i32 i32)
       (memory.fill (local.get 0) (local.get 1) (local.get 2)))))",
     {0, 0, 100},
     4 + 12},
    {"seven bytes are free",
     R"((module (memory 1) (func (export "f") (param i32 i32 i32)
       (memory.fill (local.get 0) (local.get 1) (local.get 2)))))",
     {0, 0, 7},
     4},
    {"a constant length the same",
     R"((module (memory 1) (func (export "f")
       (memory.copy (i32.const 0) (i32.const 9) (i32.const 64)))))",
     {},
     4 + 8},
    {"an init",
     R"((module (memory 1) (data $d "0123456789abcdefghij") (func (export "f") (param i32)
       (memory.init $d (i32.const 0) (i32.const 0) (local.get 0)))))",
     {17},
     4 + 2},
    // A page is 65,536 bytes: 8,192 ticks. local.get, memory.grow, drop
    {"a granted grow by its pages",
     R"((module (memory 1 4) (func (export "f") (param i32) (drop (memory.grow (local.get 0))))))",
     {2},
     3 + 2 * 8192},
    {"a refused grow is free",
     R"((module (memory 1 4) (func (export "f") (param i32) (drop (memory.grow (local.get 0))))))",
     {5},
     3},
    // ref.null, local.get, table.grow, drop; an element is a tick
    {"a table by its elements",
     R"((module (table 1 100 funcref) (func (export "f") (param i32)
       (drop (table.grow 0 (ref.null func) (local.get 0))))))",
     {30},
     4 + 30},
    {"a table's fill",
     R"((module (table 10 funcref) (func (export "f") (param i32)
       (table.fill 0 (i32.const 0) (ref.null func) (local.get 0)))))",
     {9},
     4 + 9},
};

TEST(MeterTicks, AreThoseWorkedOutByHand) {
  constexpr std::int64_t kBudget = 1'000'000;
  for (const TickCase& c : kTickCases) {
    for (const bool unroll : {false, true}) {
      SCOPED_TRACE(std::string(c.name) + (unroll ? ", unrolled" : ""));
      const Guest g = guest(c.text, {MeterMode::ticks, unroll});
      ASSERT_TRUE(g.instance);
      const CallResult result = g.instance->call("f", c.arguments, kBudget);
      EXPECT_FALSE(result.trapped) << result.message;
      EXPECT_EQ(settle(g.map, result, kBudget).ticks, c.ticks);
    }
  }
}

TEST(MeterTicks, TheBudgetIsMetExactly) {
  for (const TickCase& c : kTickCases) {
    if (c.ticks == 0) continue;
    SCOPED_TRACE(c.name);
    const Guest enough = guest(c.text);
    EXPECT_FALSE(enough.instance->call("f", c.arguments, c.ticks).trapped);
    const Guest short_by_one = guest(c.text);
    const CallResult result = short_by_one.instance->call("f", c.arguments, c.ticks - 1);
    EXPECT_TRUE(result.trapped);
    const Account account = settle(short_by_one.map, result, c.ticks - 1);
    EXPECT_TRUE(account.out_of_ticks);
    EXPECT_LT(account.ticks, c.ticks);
  }
}

TEST(MeterTicks, NothingOfTheRegionThatWouldExceedIsVisible) {
  const char* text = R"((module (memory (export "memory") 1) (func (export "f") (param i32)
     (loop (i32.store8 (local.get 0) (i32.const 1))
           (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
     (func (export "sum") (result i32) (local i32 i32)
       (loop (local.set 1 (i32.add (local.get 1) (i32.load8_u (local.get 0))))
             (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 100)))) (local.get 1))))";
  // f's body costs 1, an iteration 8.
  for (std::int64_t budget = 0; budget < 90; ++budget) {
    const Guest g = guest(text);
    const CallResult result = g.instance->call("f", {50}, budget);
    const std::int64_t iterations = budget == 0 ? 0 : (budget - 1) / 8;
    EXPECT_EQ(settle(g.map, result, budget).ticks, budget == 0 ? 0 : 1 + 8 * iterations);
    EXPECT_EQ(g.instance->call("sum", {}, 1'000'000).values.at(0), static_cast<std::uint64_t>(iterations)) << budget;
  }
}

TEST(MeterTicks, AGuestsOwnTrapLeavesExactTicks) {
  // The loop is unrolled; it runs into the end of memory after 1 + (65536 - start) / 4 iterations began.
  const char* text = R"((module (memory 1) (func (export "f") (param i32)
     (loop (drop (i32.load (local.get 0))) (local.set 0 (i32.add (local.get 0) (i32.const 4))) (br 0)))))";
  for (std::int64_t start = 65536; start > 65536 - 9 * 4; start -= 4) {
    const Guest g = guest(text);
    const CallResult result = g.instance->call("f", {start}, 10'000);
    EXPECT_EQ(result.trap_code, WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS);
    const Account account = settle(g.map, result, 10'000);
    EXPECT_FALSE(account.out_of_ticks);
    EXPECT_EQ(account.ticks, 1 + 8 * (1 + (65536 - start) / 4)) << start;
  }
}

TEST(MeterTicks, AGuestsOwnUnreachableIsNotACheck) {
  const Guest g = guest(R"((module (func (export "f") (param i32) (if (local.get 0) (then (unreachable))))))");
  const CallResult result = g.instance->call("f", {1}, 100);
  EXPECT_EQ(result.trap_code, WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED);
  EXPECT_FALSE(settle(g.map, result, 100).out_of_ticks);
  EXPECT_EQ(settle(g.map, result, 100).ticks, 3);
}

// ---- stopping

const char* kSpinners[] = {
    R"((module (func (export "f") (loop (br 0)))))",
    R"((module (memory 1) (func (export "f") (loop (i32.store (i32.const 0) (i32.const 1)) (br 0)))))",
    R"((module (memory 1) (func (export "f") (loop (drop (i32.load (i32.const 0))) (br 0)))))",
    R"((module (func (export "f") (loop (loop (br_if 1 (i32.const 1)) (br 0))))))",
    R"((module (func $g (export "f") (call $h) (call $h)) (func $h (call $g) (call $g))))",
    R"((module (memory 160) (func (export "f") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 10000000)) (br 0)))))",
    R"((module (func (export "f") (param i64) (loop (br_if 0 (i64.ne (local.get 0) (i64.const 1)))))))",
};

TEST(MeterStop, ANegativeCounterEndsEveryGuestThatNeverEnds) {
  for (const MeterMode mode : {MeterMode::time, MeterMode::ticks}) {
    for (const bool unroll : {false, true}) {
      for (const char* text : kSpinners) {
        SCOPED_TRACE(text);
        const Guest g = guest(text, {mode, unroll});
        ASSERT_TRUE(g.instance);
        auto* counter = reinterpret_cast<std::atomic<std::int64_t>*>(g.instance->counter());
        std::atomic<bool> done = false;
        // Repeats: the guest's own store may overwrite a stop once.
        std::thread stopper([&] {
          while (!done) {
            std::int64_t seen = counter->load();
            if (seen >= 0 && seen < kTicksMax) counter->compare_exchange_strong(seen, seen + kStopBias);
            std::this_thread::yield();
          }
        });
        const CallResult result = g.instance->call("f", {}, kTicksMax - 1);
        done = true;
        stopper.join();
        EXPECT_TRUE(result.trapped);
        const bool by_check =
            result.trap_code == WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED && g.map.is_check(result.offset);
        EXPECT_TRUE(by_check || result.trap_code == WASMTIME_TRAP_CODE_STACK_OVERFLOW) << result.message;
        if (mode == MeterMode::ticks) {
          EXPECT_GE(settle(g.map, result, kTicksMax - 1).ticks, 0);
        }
      }
    }
  }
}

TEST(MeterStop, AStoppedGuestRunsNothingMore) {
  for (const MeterMode mode : {MeterMode::time, MeterMode::ticks}) {
    const Guest g = guest(R"((module (import "env" "host" (func $h)) (func (export "f") (call $h))))", {mode, true});
    const CallResult result = g.instance->call("f", {}, kStopBias + 5);
    EXPECT_TRUE(result.trapped);
    EXPECT_TRUE(g.map.is_check(result.offset));
    EXPECT_TRUE(result.host_calls.empty());
    EXPECT_EQ(result.counter, kStopBias + 5);
  }
}

// ---- large bulk operations keep their meaning

struct BulkCase {
  const char* name;
  std::int64_t to, from, size;
  bool traps;
};

TEST(MeterBulk, PiecesDoWhatOneOperationDoes) {
  const char* text = R"((module (memory (export "memory") 12 12)
    (func (export "prepare") (local i32) (loop (i32.store8 (local.get 0) (i32.mul (local.get 0) (i32.const 167)))
      (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 786432)))))
    (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))))";
  const auto wasm = assemble(text);
  ASSERT_TRUE(wasm);
  const auto bare = BareModule::compile(engine(), *wasm);
  constexpr std::int64_t kEnd = 12 * 65536;
  const BulkCase cases[] = {
      {"apart", 0, 400000, 300000, false},
      {"overlapping upwards", 1, 0, 500000, false},
      {"overlapping downwards", 0, 1, 500000, false},
      {"overlapping by less than a piece", 70000, 0, 140000, false},
      {"onto itself", 5, 5, 200000, false},
      {"exactly one piece", 0, 100000, 65536, false},
      {"one more", 0, 100000, 65537, false},
      {"two pieces", 0, 300000, 131072, false},
      {"up to the end", 0, kEnd - 200000, 200000, false},
      {"nothing at the end", kEnd, kEnd, 0, false},
      {"target one past the end", kEnd - 200000 + 1, 0, 200000, true},
      {"source one past the end", 0, kEnd - 200000 + 1, 200000, true},
      {"wraps", 0xffff0000, 0, 0x20000, true},
      {"everything there is", 0, 0, 0xffffffff, true},
  };
  for (const char* function : {"copy", "fill"}) {
    for (const MeterMode mode : {MeterMode::time, MeterMode::ticks}) {
      for (const BulkCase& c : cases) {
        SCOPED_TRACE(std::string(function) + " " + c.name);
        const Guest g = guest(text, {mode, true});
        auto plain = BareInstance::create(*bare);
        const std::vector<std::int64_t> arguments = {c.to, c.from, c.size};
        g.instance->call("prepare", {}, kTicksMax);
        (*plain)->call("prepare", {});
        const CallResult got = g.instance->call(function, arguments, kTicksMax);
        const CallResult want = (*plain)->call(function, arguments);
        EXPECT_EQ(got.trapped, want.trapped) << got.message;
        EXPECT_EQ(got.trap_code, want.trap_code);
        EXPECT_EQ(got.memory_hash, want.memory_hash);
        if (std::string_view(function) == "copy") {
          EXPECT_EQ(got.trapped, c.traps);
        }
        // The pass's own function is not part of the guest: its frame has no place, the caller's has.
        if (got.trapped) {
          EXPECT_EQ(g.map.original_offset(got.offsets.at(0)), 0u);
          EXPECT_EQ(g.map.original_offset(got.offsets.at(1)), want.offset);
        }
      }
    }
  }
}

TEST(MeterBulk, LargeSegmentsAndDroppedOnes) {
  std::string data(150'000, 'x');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>('a' + i % 23);
  const std::string text = R"((module (memory (export "memory") 4) (data $d ")" + data + R"(")
    (func (export "f") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
    (func (export "drop") (data.drop $d))))";
  const auto wasm = assemble(text);
  ASSERT_TRUE(wasm) << wasm.error();
  const auto bare = BareModule::compile(engine(), *wasm);
  for (const bool dropped : {false, true}) {
    for (const auto& arguments : std::vector<std::vector<std::int64_t>>{{3, 0, 150'000},
                                                                        {0, 20'000, 130'000},
                                                                        {0, 20'000, 130'001},
                                                                        {262'144 - 150'000, 0, 150'000},
                                                                        {200'000, 0, 150'000},
                                                                        {0, 0, 0}}) {
      const Guest g = guest(text);
      auto plain = BareInstance::create(*bare);
      if (dropped) {
        g.instance->call("drop", {}, 100);
        (*plain)->call("drop", {});
      }
      const CallResult got = g.instance->call("f", arguments, 1'000'000);
      const CallResult want = (*plain)->call("f", arguments);
      EXPECT_EQ(got.trapped, want.trapped);
      EXPECT_EQ(got.trap_code, want.trap_code);
      EXPECT_EQ(got.memory_hash, want.memory_hash);
    }
  }
}

TEST(MeterBulk, ANumberThatLooksLikeMemoryInitIsNone) {
  // 1148 is fc 08 in LEB128, as memory.init is; without a data count section the module cannot hold one.
  const std::string text = R"((module (memory (export "memory") 2) (data (i32.const 0) ")" + std::string(70'000, 'x') +
                           R"(") (func (export "f") (result i32) (i32.const 1148))))";
  Guest g = guest(text);
  ASSERT_TRUE(g.instance);
  EXPECT_FALSE(g.instance->call("f", {}, 100).trapped);
}

// ---- the module around the code

TEST(MeterModule, EverythingButCodeStays) {
  const auto wasm = assemble(R"((module
    (import "env" "host" (func $h (param i32)))
    (func $named (export "a") (nop)) (memory (export "memory") 1) (global (export "g") i32 (i32.const 4))
    (table (export "t") 2 funcref) (elem (i32.const 0) $named $h) (start $named)))");
  ASSERT_TRUE(wasm);
  auto bytes = *wasm;
  for (const int byte : std::initializer_list<int>{0x00, 0x07, 0x04, 'm', 'i', 'n', 'e', 0x01, 0x02})
    bytes.push_back(static_cast<std::byte>(byte));
  const auto metered = meter(bytes, {});
  ASSERT_TRUE(metered);
  EXPECT_EQ(engine().validate(metered->wasm), "");
  const auto before = inspect(bytes);
  const auto after = inspect(metered->wasm);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->types, before->types);
  EXPECT_EQ(after->imports.size(), before->imports.size());
  EXPECT_EQ(after->functions_defined, before->functions_defined);
  EXPECT_EQ(after->start_function, before->start_function);
  ASSERT_EQ(after->exports.size(), before->exports.size() + 1);
  for (std::size_t i = 0; i < before->exports.size(); ++i) EXPECT_EQ(after->exports[i].name, before->exports[i].name);
  EXPECT_EQ(after->exports.back().name, kMeterExport);
  EXPECT_EQ(after->exports.back().index, 1u);
  ASSERT_EQ(after->memories.size(), 2u);
  EXPECT_TRUE(after->memories[1].byte_pages);
  EXPECT_EQ(after->memories[1].pages_min, kMeterBytes);
  EXPECT_EQ(after->memories[1].pages_max, kMeterBytes);
  for (const char* name : {"name", "mine"}) {
    const auto was = custom_section(bytes, name);
    const auto is = custom_section(metered->wasm, name);
    ASSERT_TRUE(was && is) << name;
    EXPECT_TRUE(std::ranges::equal(*was, *is)) << name;
  }
}

TEST(MeterModule, HintsByCodeOffsetAreLeftOut) {
  auto bytes = *assemble("(module)");
  const std::string name = "metadata.code.branch_hint";
  bytes.push_back(std::byte{0});
  bytes.push_back(static_cast<std::byte>(name.size() + 1));
  bytes.push_back(static_cast<std::byte>(name.size()));
  for (const char c : name) bytes.push_back(static_cast<std::byte>(c));
  ASSERT_TRUE(custom_section(bytes, name));
  const auto metered = meter(bytes, {});
  ASSERT_TRUE(metered);
  EXPECT_FALSE(custom_section(metered->wasm, name));
}

TEST(MeterModule, MissingSectionsAreAdded) {
  for (const char* text : {"(module)", "(module (func))", "(module (memory 1))", R"((module (func (export "a"))))",
                           R"((module (import "m" "n" (memory 1)) (func (drop (i32.load (i32.const 0))))))",
                           "(module (global i32 (i32.const 1)))", R"((module (memory 1) (data (i32.const 0) "a")))"}) {
    SCOPED_TRACE(text);
    for (const MeterMode mode : {MeterMode::time, MeterMode::ticks}) {
      const auto metered = meter(*assemble(text), {mode, true});
      ASSERT_TRUE(metered) << metered.error().message;
      EXPECT_EQ(engine().validate(metered->wasm), "");
      const auto info = inspect(metered->wasm);
      const Export* item = info->find_export(kMeterExport);
      ASSERT_NE(item, nullptr);
      EXPECT_EQ(item->kind, ExternKind::memory);
      EXPECT_EQ(item->index + 1, info->memories.size());
    }
  }
}

struct Refusal {
  const char* text;
  base::Errc code;
  const char* message;
};

TEST(MeterModule, WhatThePassDoesNotKnowIsRefusedByName) {
  const Refusal cases[] = {
      {"(module (memory 1 2 shared))", base::Errc::unsupported, "threads"},
      {"(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))", base::Errc::unsupported, "threads"},
      {"(module (memory i64 1))", base::Errc::unsupported, "memory64"},
      {"(module (memory 1) (memory 1))", base::Errc::unsupported, "multi-memory"},
      {"(module (tag))", base::Errc::unsupported, "exception handling"},
      {R"((module (import "a" "b" (tag))))", base::Errc::unsupported, "exception handling"},
      {"(module (func (try (do))))", base::Errc::unsupported, "exception handling"},
      {"(module (func $f (return_call $f)))", base::Errc::unsupported, "tail calls"},
      {"(module (table 1 funcref) (func (return_call_indirect (i32.const 0))))", base::Errc::unsupported, "tail calls"},
      {"(module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
       base::Errc::unsupported, "relaxed SIMD"},
      {R"((module (memory (export "fusebox:meter") 1)))", base::Errc::invalid,
       "exports the name \"fusebox:meter\", which is reserved for the meter"},
  };
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.text);
    const auto wasm = assemble(c.text);
    ASSERT_TRUE(wasm) << wasm.error();
    const auto metered = meter(*wasm, {});
    ASSERT_FALSE(metered);
    EXPECT_EQ(metered.error().code, c.code);
    EXPECT_THAT(metered.error().message, HasSubstr(c.message));
    if (c.code == base::Errc::unsupported) {
      EXPECT_THAT(metered.error().message,
                  HasSubstr(std::string("uses the ") + c.message + " proposal, which is not accepted"));
    }
  }
}

TEST(MeterModule, MemoriesOfBytePagesAreRefusedByName) {
  base::Bytes bytes;
  for (const int byte : std::initializer_list<int>{0, 'a', 's', 'm', 1, 0, 0, 0, 5, 5, 1, 9, 8, 8, 0})
    bytes.push_back(std::byte(byte));
  const auto metered = meter(bytes, {});
  ASSERT_FALSE(metered);
  EXPECT_EQ(metered.error().code, base::Errc::unsupported);
  EXPECT_EQ(metered.error().message, "uses the custom page sizes proposal, which is not accepted");
}

// Forms wabt does not write: one function body each, between `local count` and `end`.
TEST(MeterModule, ForeignOpcodesAreRefusedByName) {
  struct Case {
    std::vector<int> code;
    const char* message;
  };
  const Case cases[] = {
      {{0xfb, 0x00, 0x00}, "garbage collection"},  {{0xd3}, "garbage collection"},
      {{0x14, 0x00}, "typed function references"}, {{0xd4}, "typed function references"},
      {{0x1f, 0x40, 0x00}, "exception handling"},  {{0xfc, 0x13}, "wide arithmetic"},
      {{0xe0, 0x00}, "stack switching"},           {{0xfd, 0x80, 0x02}, "relaxed SIMD"},
      {{0x28, 0x42, 0x01, 0x00}, "multi-memory"},  {{0xfe, 0x03, 0x00}, "threads"},
      {{0xff}, "unknown opcode 255 at offset 23"}, {{0xfc, 0x20}, "unknown opcode"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.message);
    const int size = static_cast<int>(c.code.size()) + 2;
    std::vector<int> bytes = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, size + 2, 1, size, 0};
    bytes.insert(bytes.end(), c.code.begin(), c.code.end());
    bytes.push_back(0x0b);
    base::Bytes wasm;
    for (const int byte : bytes) wasm.push_back(static_cast<std::byte>(byte));
    const auto metered = meter(wasm, {});
    ASSERT_FALSE(metered);
    EXPECT_THAT(metered.error().message, HasSubstr(c.message));
  }
}

// A module with a memory, two tables, a global, a data and an element segment, whose one function is `unreachable` and
// then `code`. Behind `unreachable` operands may be anything, so each instruction can stand alone.
base::Bytes module_with(const std::vector<int>& code) {
  std::vector<int> bytes = {0,    'a', 's', 'm',  1, 0,   0, 0, 1, 4, 1, 0x60, 0, 0, 3,    2,  1,    0,
                            4,    4,   1,   0x70, 0, 1,   5, 3, 1, 0, 1, 6,    6, 1, 0x7f, 1,  0x41, 0,
                            0x0b, 7,   5,   1,    1, 'f', 0, 0, 9, 5, 1, 1,    0, 1, 0,    12, 1,    1};
  const int size = static_cast<int>(code.size()) + 6;
  for (const int byte : {10, size + 2, 1, size, 1, 1, 0x7f, 0}) bytes.push_back(byte);
  bytes.insert(bytes.end(), code.begin(), code.end());
  for (const int byte : std::initializer_list<int>{0, 0x0b, 11, 4, 1, 1, 1, 'x'}) bytes.push_back(byte);
  base::Bytes wasm;
  for (const int byte : bytes) wasm.push_back(static_cast<std::byte>(byte));
  return wasm;
}

TEST(MeterModule, EveryAcceptedOpcodeIsCopiedWithItsImmediates) {
  EngineChoice choice;
  choice.for_the_pass = false;
  const BareEngine accepted(choice);
  ASSERT_EQ(accepted.validate(module_with({0x01})), "");
  std::vector<std::vector<int>> opcodes;
  for (int code = 0; code < 0xfb; ++code) opcodes.push_back({code});
  for (int code = 0; code < 24; ++code) opcodes.push_back({0xfc, code});
  for (int code = 0; code < 0x130; ++code) opcodes.push_back({0xfd, (code & 0x7f) | 0x80, code >> 7});
  const std::vector<std::vector<int>> immediates = {{},
                                                    {0},
                                                    {0, 0},
                                                    {0, 0, 0},
                                                    {0x70},
                                                    {1, 0x7f},
                                                    {0x40, 0x0b},
                                                    {0, 0, 0, 0},
                                                    std::vector<int>(8, 0),
                                                    std::vector<int>(16, 0)};
  int one_byte = 0;
  int misc = 0;
  int simd = 0;
  for (const std::vector<int>& opcode : opcodes) {
    bool taken = false;
    for (const std::vector<int>& immediate : immediates) {
      std::vector<int> code = opcode;
      code.insert(code.end(), immediate.begin(), immediate.end());
      const base::Bytes wasm = module_with(code);
      if (!accepted.validate(wasm).empty()) continue;
      // Without its garbage collector this build has no switch for some proposals; the pass refuses them itself.
      if (const auto refused = meter(wasm, {}); !refused) {
        EXPECT_EQ(refused.error().code, base::Errc::unsupported);
        EXPECT_THAT(refused.error().message,
                    ::testing::AnyOf(HasSubstr("typed function references"), HasSubstr("garbage collection")));
        continue;
      }
      taken = true;
      for (const MeterMode mode : {MeterMode::time, MeterMode::ticks}) {
        const auto metered = meter(wasm, {mode, true});
        ASSERT_TRUE(metered) << metered.error().message << " opcode " << opcode[0] << " "
                             << (opcode.size() > 1 ? opcode[1] : 0);
        EXPECT_EQ(engine().validate(metered->wasm), "") << opcode[0];
      }
    }
    if (taken) ++(opcode[0] == 0xfc ? misc : opcode[0] == 0xfd ? simd : one_byte);
  }
  // Everything but `else` and `end`, which cannot stand alone.
  EXPECT_EQ(misc, 18);
  EXPECT_EQ(simd, 236);
  EXPECT_EQ(one_byte, 181);
}

TEST(MeterModule, HostileBytesNeverCrashIt) {
  const auto wasm = assemble(
      R"((module (memory 1) (table 2 funcref) (data $d "abcdef") (func $f (export "f") (param i32) (result i32) (local i64 f32)
    (block (loop (br_if 1 (local.get 0)) (br_table 0 1 0 (local.get 0))))
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (memory.fill (i32.const 0) (i32.const 0) (local.get 0))
    (drop (i8x16.extract_lane_s 3 (v128.const i64x2 1 2)))
    (call $f (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0))))))");
  ASSERT_TRUE(wasm) << wasm.error();
  for (std::size_t size = 0; size < wasm->size(); ++size) {
    const auto metered = meter(base::ByteView(*wasm).first(size), {});
    EXPECT_TRUE(metered || !metered.error().message.empty());
  }
  for (std::size_t at = 8; at < wasm->size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      base::Bytes bytes = *wasm;
      bytes[at] = static_cast<std::byte>(value);
      const bool valid = engine().validate(bytes).empty();
      const auto metered = meter(bytes, {});
      if (valid && metered) {
        EXPECT_EQ(engine().validate(metered->wasm), "") << at << " " << value;
      }
    }
  }
}

TEST(MeterModule, LongStraightCodeLooksForAStopInBetween) {
  std::string body;
  for (int i = 0; i < 40'000; ++i) body += "(drop (i32.const 1))";
  const Guest g = guest("(module (func (export \"f\")" + body + "))", {MeterMode::time, true});
  // Entry, and one for each 16,384 of 80,000 instructions.
  EXPECT_EQ(g.map.checks.size(), 1u + 4u);
}

TEST(MeterModule, AModuleOfNothingButLoopsGrowsWithinItsBound) {
  // Unrolled, all of them would be over 20 MiB, and the function larger than an engine takes.
  std::string body;
  for (int i = 0; i < 70'000; ++i) body += "(loop (br_if 0 (local.get 0)))";
  const auto wasm = assemble("(module (func (export \"f\") (param i32)" + body + "))");
  ASSERT_TRUE(wasm);
  const auto metered = meter(*wasm, {});
  ASSERT_TRUE(metered) << metered.error().message;
  const auto info = inspect(metered->wasm);
  EXPECT_LE(info->largest_function_bytes, kFunctionBytesMax);
  EXPECT_FALSE(metered->map.refunds.empty());
  const auto plain = meter(*wasm, {MeterMode::ticks, false});
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->map.refunds.empty());
  EXPECT_LE(metered->wasm.size(), plain->wasm.size() + 2 * (wasm->size() + 64 * 1024));
}

// ---- the map

TEST(MeterMapFormat, SurvivesAndRefusesWhatItDidNotWrite) {
  const auto metered = meter(*assemble(R"((module (memory 1) (func (export "f") (param i32)
     (loop (drop (i32.load (local.get 0))) (br_if 0 (local.get 0))))))"),
                             {});
  ASSERT_TRUE(metered);
  const MeterMap& map = metered->map;
  EXPECT_EQ(map.refunds.size(), 7u);
  const base::Bytes bytes = map.encode();
  const auto decoded = MeterMap::decode(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->encode(), bytes);
  for (std::uint64_t offset = 0; offset < metered->wasm.size() + 5; ++offset) {
    EXPECT_EQ(decoded->is_check(offset), map.is_check(offset));
    EXPECT_EQ(decoded->refund_at(offset), map.refund_at(offset));
    EXPECT_EQ(decoded->original_offset(offset), map.original_offset(offset));
  }
  // What Wasmtime says of a frame whose place the compiler did not keep.
  EXPECT_EQ(map.original_offset(SIZE_MAX), 0u);
  EXPECT_EQ(map.original_offset(std::uint64_t{UINT32_MAX} + 1), 0u);
  EXPECT_EQ(map.refund_at(SIZE_MAX), 0);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = MeterMap::decode(base::ByteView(bytes).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code, base::Errc::corrupt);
  }
  base::Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_THAT(MeterMap::decode(longer).error().message, HasSubstr("meter map: bytes left over at offset"));
  base::Bytes other = bytes;
  other[4] = std::byte{9};
  EXPECT_THAT(MeterMap::decode(other).error().message, HasSubstr("not a meter map of this version"));
}

TEST(MeterMapFormat, RangesAreHalfOpen) {
  MeterMap map;
  map.checks = {{10}};
  map.refunds = {{20, 30, 7}, {30, 31, 9}};
  map.origins = {{5, 100, false}, {9, 104, true}, {12, 104, false}};
  EXPECT_FALSE(map.is_check(9));
  EXPECT_TRUE(map.is_check(10));
  EXPECT_TRUE(map.is_check(12));
  EXPECT_FALSE(map.is_check(13));
  EXPECT_EQ(map.refund_at(19), 0);
  EXPECT_EQ(map.refund_at(20), 7);
  EXPECT_EQ(map.refund_at(29), 7);
  EXPECT_EQ(map.refund_at(30), 9);
  EXPECT_EQ(map.refund_at(31), 0);
  EXPECT_EQ(map.original_offset(4), 0u);
  EXPECT_EQ(map.original_offset(8), 103u);
  EXPECT_EQ(map.original_offset(11), 104u);
  EXPECT_EQ(map.original_offset(13), 105u);
}

}  // namespace
}  // namespace fusebox::engine
