#include <gmock/gmock.h>

#include "edge/wasm/backend_fixture.h"

namespace fusebox::edge::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr char kStep[] = R"((func (export "module_step")))";

class Load : public ::testing::Test {
 protected:
  Refusal refusal_of(base::ByteView wasm, const UnitLimits& limits = limits_with()) {
    return Guest(*backend_, wasm, limits, sink_).refusal();
  }
  Refusal refusal_of(const std::string& fields, const UnitLimits& limits = limits_with()) {
    return refusal_of(fusebox::test::wat("(module " + fields + ")"), limits);
  }
  std::unique_ptr<EngineBackend> backend_ = small_backend();
  RecordingSink sink_;
};

struct HeadCase {
  const char* name;
  std::string_view bytes;
  const char* want;
};
constexpr HeadCase kHeads[] = {
    {"WAMR image", "\0aot\x06\0\0\0rest"sv, "WAMR AOT image; load the .wasm it was built from"},
    {"text", "(module)"sv, "magic header not detected"},
    {"three bytes", "\0as"sv, "magic header not detected"},
    {"the magic alone", "\0asm"sv, "unknown binary version"},
    {"version 2", "\0asm\x02\0\0\0"sv, "unknown binary version"},
    {"component", "\0asm\x0d\0\1\0"sv, "component binary; load a core module"},
};
TEST_F(Load, RefusesWhatDoesNotBeginLikeAModule) {
  for (const HeadCase& c : kHeads) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(refusal_of(base::as_bytes(c.bytes)), (Refusal{LoadEnd::refused, c.want}));
  }
}

TEST_F(Load, RefusesBytesThatAreNotValid) {
  const Refusal cut = refusal_of(base::as_bytes("\0asm\1\0\0\0\x01\x7f"sv));
  EXPECT_EQ(cut, (Refusal{LoadEnd::refused, "unexpected end-of-file (at offset 0xa)"}));
}

struct ModuleCase {
  const char* name;
  const char* fields;
  LoadEnd end;
  const char* text;
};
constexpr ModuleCase kModules[] = {
    {"smallest", R"((func (export "module_step")))", LoadEnd::ok, ""},
    {"no step", R"((func (export "other")))", LoadEnd::no_step, ""},
    {"step is a memory", R"((memory (export "module_step") 1))", LoadEnd::no_step, ""},
    {"step with result", R"((func (export "module_step") (result i32) (i32.const 0)))", LoadEnd::export_type,
     "module_step"},
    {"step with parameter", R"((func (export "module_step") (param i32)))", LoadEnd::export_type, "module_step"},
    {"init with result", R"((func (export "module_step")) (func (export "module_init") (result i32) (i32.const 0)))",
     LoadEnd::export_type, "module_init"},
    {"deinit is a global", R"((func (export "module_step")) (global (export "module_deinit") i32 (i32.const 0)))",
     LoadEnd::export_type, "module_deinit"},
    {"all three", R"((func (export "module_step") (export "module_init") (export "module_deinit")))", LoadEnd::ok, ""},
    {"known import", R"((import "env" "temp_get_reading" (func (result f32))) (func (export "module_step")))",
     LoadEnd::ok, ""},
    {"unknown field", R"((import "env" "gps" (func)) (func (export "module_step")))", LoadEnd::not_linked,
     "import env.gps not provided"},
    {"unknown module", R"((import "host" "temp_get_reading" (func (result f32))) (func (export "module_step")))",
     LoadEnd::not_linked, "import host.temp_get_reading not provided"},
    {"name with NUL", R"((import "env" "temp_get_reading\00" (func (result f32))) (func (export "module_step")))",
     LoadEnd::not_linked, "import env.temp_get_reading? not provided"},
    {"name with a line end", R"((import "env" "a\0aFATAL" (func)) (func (export "module_step")))", LoadEnd::not_linked,
     "import env.a?FATAL not provided"},
    {"WASI",
     R"((import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (func (export "module_step")))",
     LoadEnd::not_linked, "import wasi_snapshot_preview1.fd_write not provided"},
    {"other type", R"((import "env" "temp_get_reading" (func (result f64))) (func (export "module_step")))",
     LoadEnd::not_linked, "import env.temp_get_reading type mismatch"},
    {"both types",
     R"((import "env" "temp_get_reading" (func (result f32))) (import "env" "temp_get_reading" (func))
        (func (export "module_step")))",
     LoadEnd::not_linked, "import env.temp_get_reading type mismatch"},
    {"memory", R"((import "env" "memory" (memory 1)) (func (export "module_step")))", LoadEnd::not_linked,
     "import env.memory not a function"},
    {"table", R"((import "env" "table" (table 1 funcref)) (func (export "module_step")))", LoadEnd::not_linked,
     "import env.table not a function"},
    {"global", R"((import "env" "temp_get_reading" (global i32)) (func (export "module_step")))", LoadEnd::not_linked,
     "import env.temp_get_reading not a function"},
    {"the first import decides",
     R"((import "env" "b" (func)) (import "env" "a" (memory 1)) (func (export "module_step")))", LoadEnd::not_linked,
     "import env.b not provided"},
    {"exports come before imports", R"((import "env" "b" (func)))", LoadEnd::no_step, ""},
    {"start traps", R"((func $s unreachable) (start $s) (func (export "module_step")))", LoadEnd::trapped,
     "unreachable"},
    {"data beyond the memory", R"((memory 1) (data (i32.const 65536) "x") (func (export "module_step")))",
     LoadEnd::trapped, "out of bounds memory access"},
    {"elements beyond the table",
     R"((table 1 funcref) (func $f) (elem (i32.const 1) $f) (func (export "module_step")))", LoadEnd::trapped,
     "out of bounds table access"},
};
TEST_F(Load, ChecksExportsImportsAndStart) {
  for (const ModuleCase& c : kModules) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(refusal_of(c.fields), (Refusal{c.end, c.text}));
  }
}

struct FeatureCase {
  const char* name;
  const char* fields;
  const char* want;
};
constexpr FeatureCase kFeatures[] = {
    {"atomics", R"((memory 1 1) (func (export "f") (drop (i32.atomic.load (i32.const 0)))))",
     "threads support is not enabled"},
    {"shared memory", "(memory 1 1 shared)", "threads must be enabled for shared memories"},
    {"several memories", "(memory 1) (memory 1)", "multiple memories"},
};
TEST_F(Load, NamesTheFeatureItRefuses) {
  for (const FeatureCase& c : kFeatures) {
    SCOPED_TRACE(c.name);
    const Refusal refusal = refusal_of(std::string(c.fields) + kStep);
    EXPECT_EQ(refusal.end, LoadEnd::refused);
    EXPECT_THAT(refusal.text, ::testing::StartsWith(c.want));
  }
}

struct BinaryCase {
  const char* name;
  std::string_view sections;
  const char* want;
};
// What the text format of this build cannot say.
constexpr BinaryCase kBinaries[] = {
    {"memory64", "\x05\x03\x01\x04\x01"sv, "memory64 must be enabled for 64-bit memories"},
    {"exception tag", "\x01\x04\x01\x60\0\0\x0d\x03\x01\0\0"sv, "exceptions proposal not enabled"},
    {"GC struct type", "\x01\x04\x01\x5f\0\0"sv, "gc"},
    {"tail call", "\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x06\x01\x04\0\x12\0\x0b"sv,
     "tail calls support is not enabled"},
};
TEST_F(Load, NamesTheFeatureOfBinariesItRefuses) {
  for (const BinaryCase& c : kBinaries) {
    SCOPED_TRACE(c.name);
    const Refusal refusal = refusal_of(base::as_bytes("\0asm\1\0\0\0"s + std::string(c.sections)));
    EXPECT_EQ(refusal.end, LoadEnd::refused);
    EXPECT_THAT(refusal.text, ::testing::HasSubstr(c.want));
  }
}

TEST_F(Load, AcceptsEveryFeatureOfTheContract) {
  EXPECT_EQ(refusal_of(R"((memory 1) (global (export "g") (mut i32) (i32.const 0)) (table $t 2 funcref)
      (func $two (result i32 i32) (i32.const 1) (i32.const 2))
      (func (export "module_step")
        (drop (i32.extend8_s (i32.const 200)))
        (drop (i32.trunc_sat_f32_s (f32.const nan)))
        (drop (drop (call $two)))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 8))
        (table.set $t (i32.const 0) (ref.null func))
        (drop (i8x16.add (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0)))))"),
            Refusal{});
}

TEST_F(Load, TheInitialMemoryFitsThePolicyOrNot) {
  const std::string fields = R"((memory 3) (func (export "module_step")))";
  EXPECT_EQ(refusal_of(fields, limits_with(3)), Refusal{});
  EXPECT_EQ(refusal_of(fields, limits_with(2)),
            (Refusal{LoadEnd::not_linked, "memory min 3 pages exceeds policy max 2"}));
  EXPECT_EQ(refusal_of(kStep, limits_with(0)), Refusal{}) << "no memory fits any limit";
}

TEST_F(Load, AGroupTheHostLacksIsNotProvided) {
  const std::string fields = R"((import "env" "temp_get_reading" (func (result f32))) (func (export "module_step")))";
  UnitLimits limits = limits_with();
  EXPECT_EQ(refusal_of(fields, limits), Refusal{});
  limits.groups = kAllGroups & ~FUSE_CAP_TEMP_SENSOR;
  EXPECT_EQ(refusal_of(fields, limits), (Refusal{LoadEnd::not_linked, "import env.temp_get_reading not provided"}));
}

TEST_F(Load, LogAndEventsAreAlwaysProvided) {
  UnitLimits limits = limits_with();
  limits.groups = 0;
  EXPECT_EQ(refusal_of(R"((import "env" "fuse_event_post" (func (param i32)))
      (import "env" "module_log_event" (func (param i32 i32 i32))) (func (export "module_step")))",
                       limits),
            Refusal{});
}

TEST_F(Load, StrictImportsNeedTheirCapability) {
  const std::string fields =
      R"((import "env" "timer_get_timestamp" (func (result i64))) (func (export "module_step")))";
  UnitLimits limits = limits_with();
  EXPECT_EQ(refusal_of(fields, limits), Refusal{}) << "without the option the call traps, not the load";
  limits.strict_imports = true;
  limits.granted = FUSE_CAP_TIMER;
  EXPECT_EQ(refusal_of(fields, limits), Refusal{});
  limits.granted = FUSE_CAP_LOG;
  EXPECT_EQ(refusal_of(fields, limits),
            (Refusal{LoadEnd::not_linked, "import env.timer_get_timestamp needs the capability TIMER"}));
}

TEST_F(Load, CutsLongTextsAtACharacter) {
  const std::string name(200, 'a');
  const Refusal ascii = refusal_of(R"((import "env" ")" + name + R"(" (func)) (func (export "module_step")))");
  EXPECT_EQ(ascii, (Refusal{LoadEnd::not_linked, ("import env." + name).substr(0, sizeof(ErrorText::text) - 1)}));
  std::string accents;
  for (int i = 0; i < 100; ++i) accents += "\u00e9";
  const Refusal wide = refusal_of(R"((import "env" ")" + accents + R"(" (func)) (func (export "module_step")))");
  EXPECT_EQ(wide.end, LoadEnd::not_linked);
  EXPECT_TRUE(base::is_utf8(wide.text));
  EXPECT_GE(wide.text.size(), sizeof(ErrorText::text) - 2);
}

TEST_F(Load, TheBytesMayGoOnceLoaded) {
  base::Bytes wasm = fusebox::test::wat(R"((module (func (export "module_step"))))");
  const Guest guest(*backend_, wasm, limits_with(), sink_);
  std::fill(wasm.begin(), wasm.end(), std::byte{0xFF});
  EXPECT_EQ(guest.step().end, CallEnd::completed);
}

TEST_F(Load, KnowsWhichExportsAModuleHas) {
  const Guest all(*backend_,
                  R"((module (func (export "module_step") (export "module_init") (export "module_deinit"))))", sink_);
  const Guest one(*backend_, R"((module (func (export "module_step"))))", sink_);
  for (const Export each : {Export::step, Export::init, Export::deinit}) EXPECT_TRUE(backend_->has(all.unit(), each));
  EXPECT_TRUE(backend_->has(one.unit(), Export::step));
  EXPECT_FALSE(backend_->has(one.unit(), Export::init));
  EXPECT_FALSE(backend_->has(one.unit(), Export::deinit));
}

}  // namespace
}  // namespace fusebox::edge::test
