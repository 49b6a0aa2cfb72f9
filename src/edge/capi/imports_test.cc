// Contract sections 2 and 15.1 row 9: what a real module's import calls do, both sides of every boundary.
#include <bit>
#include <cstring>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::Contains;
using ::testing::Not;

class Imports : public FuseTest {
 protected:
  // A module that traps when `condition`, an i32 expression, is 0.
  static std::string expects(std::string_view condition) {
    return with_imports("(if (i32.eqz " + std::string(condition) + ") (then unreachable))");
  }
};

TEST_F(Imports, TemperatureBitsReachTheGuestAsTheyAre) {
  world().temp = [] { return std::bit_cast<float>(0x7FA12345u); };  // a signalling NaN with a payload
  EXPECT_EQ(step_once(expects("(i32.eq (i32.reinterpret_f32 (call $temp)) (i32.const 0x7FA12345))")), FUSE_SUCCESS);
  EXPECT_EQ(step_once(expects("(i32.eq (i32.reinterpret_f32 (call $temp)) (i32.const 0x7FE12345))")),
            FUSE_ERR_MODULE_TRAP);
}

TEST_F(Imports, TimestampsHave64Bits) {
  world().clock_us = 0xFEDC'BA98'7654'3210;
  EXPECT_EQ(step_once(expects("(i64.eq (call $time) (i64.const 0xFEDCBA9876543210))")), FUSE_SUCCESS);
}

TEST_F(Imports, AGuestsTimestampIsExactlyOneReadOfTheClock) {
  const auto id = run(with_imports("(drop (call $time)) (drop (call $time))"));
  world().clock_reads = 0;
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(world().clock_reads, 3);  // the attempt's own, and two
}

TEST_F(Imports, TheCameraWritesIntoTheGuestUpToTheEndOfMemory) {
  std::uint32_t room = 0;
  world().frame = [&](void* out, std::uint32_t max_len) {
    room = max_len;
    std::memset(out, 0x5A, max_len);
    return std::uint64_t{max_len};
  };
  EXPECT_EQ(step_once(expects("(i64.eq (call $frame (i32.const 65436) (i32.const 100)) (i64.const 100))")),
            FUSE_SUCCESS);
  EXPECT_EQ(room, 100u);
  EXPECT_EQ(step_once(with_imports("(drop (call $frame (i32.const 65436) (i32.const 100)))"
                                   "(if (i32.ne (i32.load8_u (i32.const 65535)) (i32.const 0x5A)) (then unreachable))"
                                   "(if (i32.load8_u (i32.const 65435)) (then unreachable))")),
            FUSE_SUCCESS);
}

TEST_F(Imports, GuestAddressZeroIsAnAddressLikeAnyOther) {
  world().frame = [](void*, std::uint32_t max_len) { return std::uint64_t{max_len}; };
  EXPECT_EQ(step_once(expects("(i64.eq (call $frame (i32.const 0) (i32.const 65536)) (i64.const 65536))")),
            FUSE_SUCCESS);
}

TEST_F(Imports, ACameraBufferBeyondMemoryTrapsAndTheCallbackIsNotCalled) {
  int called = 0;
  world().frame = [&](void*, std::uint32_t) { return static_cast<std::uint64_t>(++called); };
  struct Case {
    const char* address;
    const char* size;
  };
  for (const Case& c : {Case{"65437", "100"},
                        {"0", "65537"},
                        {"65536", "1"},
                        {"0xFFFFFFFF", "1"},
                        {"0xFFFFFFFF", "0xFFFFFFFF"},
                        {"1", "0xFFFFFFFF"},
                        {"0xFFFF0000", "0x10000"}}) {
    const std::string call =
        std::string("(drop (call $frame (i32.const ") + c.address + ") (i32.const " + c.size + ")))";
    EXPECT_EQ(step_once(with_imports(call)), FUSE_ERR_MODULE_TRAP) << call;
    const auto lines = log_lines();
    EXPECT_EQ(lines[lines.size() - 3], "2 0 SECURITY: camera buffer OOB") << call;
    EXPECT_EQ(lines[lines.size() - 2], "2 0 module 0 trap: Exception: out of bounds memory access");
  }
  EXPECT_EQ(called, 0);
}

TEST_F(Imports, TheBoundIsTheMemoryAsItIsNow) {
  world().frame = [](void*, std::uint32_t) { return std::uint64_t{1}; };
  const char call[] = "(drop (call $frame (i32.const 65536) (i32.const 65536)))";
  EXPECT_EQ(step_once(with_imports(call)), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(step_once(with_imports(std::string("(drop (memory.grow (i32.const 1)))") + call)), FUSE_SUCCESS);
}

TEST_F(Imports, ACameraBufferOfNoLengthIsAViolationOfItsOwn) {
  EXPECT_EQ(step_once(with_imports("(drop (call $frame (i32.const 0xFFFFFFFF) (i32.const 0)))")), FUSE_ERR_MODULE_TRAP);
  EXPECT_THAT(log_lines(), Contains("2 0 SECURITY: camera null or zero-length buffer"));
  EXPECT_THAT(log_lines(), Contains("2 0 module 0 trap: Exception: FUSE camera: null or zero-length buffer"));
}

TEST_F(Imports, ACallbackThatLiesAboutItsLengthIsClamped) {
  world().frame = [](void*, std::uint32_t) { return ~std::uint64_t{0}; };
  EXPECT_EQ(step_once(expects("(i64.eq (call $frame (i32.const 0) (i32.const 7)) (i64.const 7))")), FUSE_SUCCESS);
  world().frame = [](void*, std::uint32_t) { return (std::uint64_t{1} << 32) + 3; };
  EXPECT_EQ(step_once(expects("(i64.eq (call $frame (i32.const 0) (i32.const 7)) (i64.const 7))")), FUSE_SUCCESS);
  world().frame = [](void*, std::uint32_t) { return std::uint64_t{6}; };
  EXPECT_EQ(step_once(expects("(i64.eq (call $frame (i32.const 0) (i32.const 7)) (i64.const 6))")), FUSE_SUCCESS);
}

TEST_F(Imports, AResultOf32BitsIsZeroExtended) {
  world().frame = [](void*, std::uint32_t max_len) { return std::uint64_t{max_len}; };
  const std::string big = R"((module
    (import "env" "camera_last_frame" (func $frame (param i32 i32) (result i64)))
    (memory 32769)
    (func (export "module_step")
      (if (i64.ne (call $frame (i32.const 0) (i32.const 0x80000001)) (i64.const 0x80000001)) (then unreachable)))))";
  EXPECT_EQ(step_once(big), FUSE_SUCCESS);
}

TEST_F(Imports, CallbacksThatAreNotThereGiveZeroAndNoTrap) {
  fuse_deinit();
  ASSERT_EQ(open_with(fuse_hal_t{}), FUSE_SUCCESS);
  const auto id =
      run(with_imports("(if (i32.reinterpret_f32 (call $temp)) (then unreachable))"
                       "(if (i64.ne (call $time) (i64.const 0)) (then unreachable))"
                       "(if (i64.ne (call $frame (i32.const 0) (i32.const 8)) (i64.const 0))"
                       "  (then unreachable))"
                       "(call $log (i32.const 0) (i32.const 4) (i32.const 1))"));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_RUNNING);
  EXPECT_EQ(records().back().entry.timestamp_us, 0u);
}

TEST_F(Imports, ArgumentsAreCheckedThoughTheCallbackIsNotThere) {
  fuse_deinit();
  ASSERT_EQ(open_with(fuse_hal_t{}), FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(drop (call $frame (i32.const 0) (i32.const 0)))")), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(step_once(with_imports("(drop (call $frame (i32.const 65536) (i32.const 1)))")), FUSE_ERR_MODULE_TRAP);
}

TEST_F(Imports, EveryMissingCapabilityIsNamedAndTheCallHasNoEffect) {
  struct Case {
    std::uint32_t bit;
    const char* name;
    const char* call;
  };
  for (const Case& c : {Case{FUSE_CAP_TEMP_SENSOR, "TEMP_SENSOR", "(drop (call $temp))"},
                        {FUSE_CAP_TIMER, "TIMER", "(drop (call $time))"},
                        {FUSE_CAP_CAMERA, "CAMERA", "(drop (call $frame (i32.const -1) (i32.const -1)))"},
                        {FUSE_CAP_CAMERA, "CAMERA", "(drop (call $frame (i32.const 0) (i32.const 0)))"},
                        {FUSE_CAP_LOG, "LOG", "(call $log (i32.const -1) (i32.const -1) (i32.const 0))"},
                        {FUSE_CAP_EVENT_POST, "EVENT_POST", "(call $post (i32.const 99))"}}) {
    int called = 0;
    world().temp = [&] { return static_cast<float>(++called); };
    world().frame = [&](void*, std::uint32_t) { return static_cast<std::uint64_t>(++called); };
    // The second call would be logged: no guest instruction after the refused one runs.
    const std::string text = with_imports(std::string(c.call) +
                                          "(call $log (i32.const 0) (i32.const 0) (i32.const 1))"
                                          "(loop $l (br $l))");
    EXPECT_EQ(step_once(text, any_policy(kAllCapabilities & ~c.bit)), FUSE_ERR_MODULE_TRAP) << c.name;
    const auto lines = log_lines();
    EXPECT_EQ(lines[lines.size() - 3], std::string("2 0 SECURITY: module 0 policy violation cap=") + c.name);
    EXPECT_EQ(lines[lines.size() - 2], "2 0 module 0 trap: Exception: FUSE policy violation");
    EXPECT_EQ(called, 0);
  }
}

TEST_F(Imports, EachCapabilityAloneIsEnough) {
  EXPECT_EQ(step_once(with_imports("(drop (call $temp))"), any_policy(FUSE_CAP_TEMP_SENSOR)), FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(drop (call $time))"), any_policy(FUSE_CAP_TIMER)), FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(drop (call $frame (i32.const 0) (i32.const 1)))"), any_policy(FUSE_CAP_CAMERA)),
            FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(call $log (i32.const 0) (i32.const 1) (i32.const 0))"), any_policy(FUSE_CAP_LOG)),
            FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(call $post (i32.const 1))"), any_policy(FUSE_CAP_EVENT_POST)), FUSE_SUCCESS);
}

TEST_F(Imports, ALogTextEndsAtItsFirstNulOrAt127Characters) {
  const std::string data =
      "(data (i32.const 0) \"one\\00two\") (data (i32.const 16) \"" + std::string(127, 'x') + "yz\")";
  const auto id =
      run(with_imports("(call $log (i32.const 0) (i32.const 7) (i32.const 1))"
                       "(call $log (i32.const 16) (i32.const 127) (i32.const 1))"
                       "(call $log (i32.const 16) (i32.const 128) (i32.const 1))"
                       "(call $log (i32.const 16) (i32.const 126) (i32.const 1))"
                       "(call $log (i32.const 3) (i32.const 4) (i32.const 1))",  // an empty message
                       data));
  const std::size_t before = records().size();
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  const auto all = records();
  ASSERT_EQ(all.size(), before + 5);
  EXPECT_STREQ(all[before].entry.message, "one");
  EXPECT_EQ(all[before + 1].entry.message, std::string(127, 'x'));
  EXPECT_EQ(all[before + 2].entry.message, std::string(127, 'x'));
  EXPECT_EQ(all[before + 3].entry.message, std::string(126, 'x'));
  EXPECT_STREQ(all[before + 4].entry.message, "");
}

TEST_F(Imports, ALogLevelIsAnyNumber) {
  const auto id = run(with_imports("(call $log (i32.const 0) (i32.const 1) (i32.const 0xFFFFFFFE))"));
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(records().back().entry.level, 0xFFFFFFFEu);
  EXPECT_EQ(records().back().entry.module_id, id);
}

TEST_F(Imports, ALogOfNoLengthIsNothingWithinMemoryAndAViolationBeyond) {
  const auto logs = [](const char* address, const char* size) {
    return with_imports(std::string("(call $log (i32.const ") + address + ") (i32.const " + size + ") (i32.const 1))");
  };
  const auto id = run(logs("65536", "0"));
  const std::size_t before = records().size();
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
  EXPECT_EQ(records().size(), before);
  fuse_module_unload(id);
  EXPECT_EQ(step_once(logs("65535", "1")), FUSE_SUCCESS);
  for (const char* const* c : {(const char* const[]){"65537", "0"}, (const char* const[]){"65536", "1"},
                               (const char* const[]){"0xFFFFFFFF", "0"}, (const char* const[]){"1", "0xFFFFFFFF"}}) {
    EXPECT_EQ(step_once(logs(c[0], c[1])), FUSE_ERR_MODULE_TRAP) << c[0] << " " << c[1];
    const auto lines = log_lines();
    EXPECT_EQ(lines[lines.size() - 3], "2 0 SECURITY: log buffer OOB");
    EXPECT_EQ(lines[lines.size() - 2], "2 0 module 0 trap: Exception: out of bounds memory access");
  }
}

TEST_F(Imports, AModuleWithoutMemoryHasNoPlaceForBuffers) {
  const auto bare = [](const char* step) {
    return std::string(R"((module (import "env" "module_log_event" (func $log (param i32 i32 i32)))
      (import "env" "camera_last_frame" (func $frame (param i32 i32) (result i64)))
      (func (export "module_step") )") +
           step + "))";
  };
  EXPECT_EQ(step_once(bare("(call $log (i32.const 0) (i32.const 0) (i32.const 0))")), FUSE_ERR_MODULE_TRAP);
  EXPECT_THAT(log_lines(), Contains("2 0 SECURITY: log buffer OOB"));
  EXPECT_EQ(step_once(bare("(drop (call $frame (i32.const 0) (i32.const 1)))")), FUSE_ERR_MODULE_TRAP);
  EXPECT_THAT(log_lines(), Contains("2 0 SECURITY: camera buffer OOB"));
}

TEST_F(Imports, EventsBelow32ArePostedOthersAreViolations) {
  fuse_policy_t hears = any_policy();
  hears.activation_mask = FUSE_ACTIVATION_EVENT;
  hears.event_subscribe = 0x80000001;
  const auto listener = run(kNothing, hears);
  EXPECT_EQ(step_once(with_imports("(call $post (i32.const 31)) (call $post (i32.const 0))")), FUSE_SUCCESS);
  EXPECT_EQ(latch(listener), 0x80000001u);
  for (const char* id : {"32", "0x80000000", "0xFFFFFFFF"}) {
    EXPECT_EQ(step_once(with_imports(std::string("(call $post (i32.const ") + id + "))")), FUSE_ERR_MODULE_TRAP);
    EXPECT_THAT(log_lines(), Contains("2 1 SECURITY: module 1 policy violation cap=EVENT_POST_OOB"));
  }
}

TEST_F(Imports, EveryTrapOfAModuleHasItsText) {
  struct Case {
    const char* text;
    const char* step;
    const char* more = "";
  };
  const Case cases[] = {
      {"unreachable", "unreachable"},
      {"out of bounds memory access", "(drop (i32.load (i32.const 65533)))"},
      {"out of bounds memory access", "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1))"},
      {"out of bounds table access", "(drop (table.get $t (i32.const 4)))", "(table $t 4 funcref)"},
      {"integer overflow", "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"},
      {"integer overflow", "(drop (i32.trunc_f32_s (f32.const 1e20)))"},
      {"integer divide by zero", "(drop (i32.rem_u (i32.const 1) (i32.const 0)))"},
      {"invalid conversion to integer", "(drop (i32.trunc_f32_s (f32.const nan)))"},
      {"indirect call type mismatch", "(drop (call_indirect (result i32) (i32.const 0)))",
       "(table 4 funcref) (elem (i32.const 0) $f) (func $f)"},
      {"undefined element", "(call_indirect (i32.const 4))", "(table 4 funcref)"},
      {"uninitialized element", "(call_indirect (i32.const 1))", "(table 4 funcref)"},
      {"native stack overflow", "(call $r)", "(func $r (call $r) (i32.store (i32.const 0) (i32.const 1)))"},
  };
  for (const Case& c : cases) {
    const auto id = run(with_imports(c.step, c.more));
    EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_MODULE_TRAP) << c.text;
    EXPECT_EQ(last_line(), std::string("2 0 module 0 trap: Exception: ") + c.text);
    EXPECT_STREQ(info(id).trap_text, c.text);
    EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
    EXPECT_EQ(fuse_module_unload(id), FUSE_SUCCESS);
  }
}

TEST_F(Imports, ATrapInInitIsNamedAndStopsTheModule) {
  const auto id = load(with_imports("", "(func (export \"module_init\") (drop (call $temp)))"), any_policy(0));
  EXPECT_EQ(fuse_module_start(id), FUSE_ERR_MODULE_TRAP);
  EXPECT_EQ(line_before_last(), "2 0 SECURITY: module 0 policy violation cap=TEMP_SENSOR");
  EXPECT_EQ(last_line(), "2 0 module_init trap mod=0: Exception: FUSE policy violation");
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_TRAPPED);
}

TEST_F(Imports, InitAndDeinitMayCallImports) {
  const auto id =
      run(with_imports("",
                       "(data (i32.const 0) \"hello\")"
                       "(func (export \"module_init\") (call $log (i32.const 0) (i32.const 5) (i32.const 1)))"
                       "(func (export \"module_deinit\") (call $log (i32.const 0) (i32.const 4) (i32.const 1)))"));
  EXPECT_THAT(log_lines(), Contains("1 0 hello"));
  EXPECT_THAT(log_lines(), Not(Contains("1 0 hell")));
  fuse_module_unload(id);
  EXPECT_THAT(log_lines(), Contains("1 0 hell"));
}

TEST_F(Imports, AStackOverflowInOneModuleLeavesTheOthersRunning) {
  const auto bad = run("(module (func $r (call $r) (nop)) (func (export \"module_step\") (call $r)))");
  const auto good = run(kNothing);
  EXPECT_EQ(fuse_tick(), 1u << good);
  EXPECT_EQ(state(bad), FUSE_MODULE_STATE_TRAPPED);
  EXPECT_EQ(fuse_tick(), 1u << good);
}

}  // namespace
}  // namespace fusebox::edge::test
