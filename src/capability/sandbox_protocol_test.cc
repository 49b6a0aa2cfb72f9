// The run protocol as a guest meets it: contract capability.md sections 3 and 4.
#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using ::testing::HasSubstr;

class Protocol : public SandboxTest {};

// Returns the input unchanged, with whatever allocator the module around it exports.
constexpr std::string_view kEcho = R"((func (export "run") (param i32 i32) (result i32) local.get 0))";
std::string module_with(std::string_view fields) {
  return "(module (memory (export \"memory\") 1) " + std::string(fields) + ")";
}

TEST_F(Protocol, RunGetsItsInputAndReturnsAPointer) {
  const Report report = run(module_with(kEcho), R"({"n":1})");
  EXPECT_EQ(report.code, "") << report.message;
  EXPECT_EQ(report.result, R"({"n":1})");
  EXPECT_EQ(report.kind, ResultKind::json);
  EXPECT_TRUE(report.outcome.completed());
}

TEST_F(Protocol, TextThatIsNotJsonBecomesAJsonString) {
  const Report report = run(module_with(kEcho), "hi there");
  EXPECT_EQ(report.result, "\"hi there\"");
  EXPECT_EQ(report.kind, ResultKind::text);
}

TEST_F(Protocol, EveryEntryTypeIsAccepted) {
  struct Case {
    const char* name;
    const char* function;
    const char* input;
    const char* want;
  };
  const Case cases[] = {
      {"pointer and length to packed",
       R"((func (export "run") (param i32 i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (i32.sub (local.get 1) (i32.const 1))))))",
       "[1]x", "[1]"},
      {"packed length zero is null",
       R"((func (export "run") (param i32 i32) (result i64) i64.const 0x7fffffff00000000))", "x", "null"},
      {"pointer and length to nothing", R"((func (export "run") (param i32 i32)))", "x", "null"},
      {"NUL-terminated pointer", R"((func (export "run") (param i32) (result i32) local.get 0))", "77", "77"},
      {"NUL-terminated empty input", R"((func (export "run") (param i32) (result i32) local.get 0))", "", "\"\""},
      {"nothing at all", R"((func (export "run")))", "x", "null"},
      {"pointer zero is null", R"((func (export "run") (param i32 i32) (result i32) i32.const 0))", "x", "null"},
      {"empty input comes at address 8",
       R"((data (i32.const 16) "8\00") (func (export "run") (param i32 i32) (result i32)
            (if (i32.and (i32.eq (local.get 0) (i32.const 8)) (i32.eqz (local.get 1))) (then (return (i32.const 16)))) i32.const 0))",
       "", "8"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Report report = run(module_with(c.function), c.input);
    EXPECT_EQ(report.code, "") << report.message;
    EXPECT_EQ(report.result, c.want);
  }
}

TEST_F(Protocol, RefusesOtherTypesAndMissingFunctions) {
  const Report type = run(module_with(R"((func (export "run") (param f64)))"));
  EXPECT_EQ(type.code, "SIGNATURE");
  EXPECT_EQ(
      type.message,
      "function \"run\" has type (f64) -> (); an entry has (i32, i32) -> i32, (i32, i32) -> i64, (i32, i32) -> (), "
      "(i32) -> i32 or () -> ()");
  EXPECT_EQ(type.outcome.kind(), "failed");
  const Report missing = run("(module)");
  EXPECT_EQ(missing.code, "FUNCTION_NOT_FOUND");
  EXPECT_EQ(missing.message, "the module exports no function \"run\"");
  const Report memory = run(R"((module (memory (export "run") 1)))");
  EXPECT_EQ(memory.code, "FUNCTION_NOT_FOUND");
  EXPECT_EQ(memory.message, "export \"run\" is a memory, not a function");
}

TEST_F(Protocol, AnEmptyFunctionNameMeansStart) {
  EXPECT_EQ(run("(module (func (export \"_start\")))", {}, {}, "").result, "null");
  EXPECT_EQ(run("(module)", {}, {}, "").message, "the module exports no function \"_start\"");
}

TEST_F(Protocol, UsesTheFirstAllocatorAndReleasesWithItsPartner) {
  struct Case {
    const char* name;
    std::string allocator;
    const char* want;  // allocator:release as the guest counted
  };
  const auto counter = [](std::string_view alloc, std::string_view alloc_params, std::string_view address,
                          std::string_view release) {
    return "(func (export \"" + std::string(alloc) + "\") (param i32" + std::string(alloc_params) +
           ") (result i32) i32.const " + std::string(address) + ")" + std::string(release);
  };
  const Case cases[] = {
      {"femto_alloc first", counter("femto_alloc", "", "1024", "") + counter("malloc", "", "2048", ""), "1024"},
      {"alloc", counter("alloc", "", "1280", "") + counter("__new", " i32", "2048", ""), "1280"},
      {"malloc", counter("malloc", "", "2048", ""), "2048"},
      {"__new with class id 1",
       R"((func (export "__new") (param i32 i32) (result i32) (i32.mul (local.get 1) (i32.const 3072))))", "3072"},
      {"__pin may move it",
       R"((func (export "__new") (param i32 i32) (result i32) i32.const 512) (func (export "__pin") (param i32) (result i32) local.get 0))",
       "512"},
      {"another type is no allocator", R"((func (export "malloc") (param i64) (result i32) i32.const 99))", "65536"},
      {"none: the memory grows", "", "65536"},
  };
  // Answers with the address of its input: decimal digits of five places at most, written at 64.
  const std::string answer = R"(
    (func (export "run") (param $p i32) (param $n i32) (result i32) (local $at i32)
      (local.set $at (i32.const 79))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $p) (i32.const 10))))
        (local.set $p (i32.div_u (local.get $p) (i32.const 10)))
        (br_if $next (local.get $p)))
      local.get $at))";
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Report report = run(module_with(answer + c.allocator), "input");
    EXPECT_EQ(report.code, "") << report.message;
    EXPECT_EQ(report.result, c.want);
  }
}

TEST_F(Protocol, AllocatorFailuresAreAlloc) {
  struct Case {
    const char* name;
    const char* allocator;
    const char* sentence;
  };
  const Case cases[] = {
      {"null", R"((func (export "alloc") (param i32) (result i32) i32.const 0))",
       "alloc(6) returned 0, which is not a buffer inside the guest's memory"},
      {"outside", R"((func (export "alloc") (param i32) (result i32) i32.const 65531))",
       "alloc(6) returned 65531, which is not a buffer inside the guest's memory"},
      {"wraps", R"((func (export "alloc") (param i32) (result i32) i32.const -1))",
       "alloc(6) returned 4294967295, which is not a buffer inside the guest's memory"},
      {"traps", R"((func (export "alloc") (param i32) (result i32) unreachable))",
       "alloc did not return: unreachable (in alloc)"},
      {"pin outside",
       R"((func (export "__new") (param i32 i32) (result i32) i32.const 8) (func (export "__pin") (param i32) (result i32) unreachable))",
       "__pin did not return: unreachable (in __pin)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Report report = run(module_with(std::string(kEcho) + c.allocator), "12345");
    EXPECT_EQ(report.code, "ALLOC");
    EXPECT_EQ(report.message, c.sentence);
    EXPECT_EQ(report.outcome.kind(), "failed");
  }
  Policy policy;
  policy.limits.cpu_ms = 20;
  const Report loops =
      run(module_with(std::string(kEcho) +
                      R"((func (export "alloc") (param i32) (result i32) (loop $l (br $l)) i32.const 8))"),
          "x", policy);
  EXPECT_EQ(loops.code, "CPU_LIMIT");
}

TEST_F(Protocol, TheLastByteOfMemoryMayHoldTheInputsNul) {
  const Report report = run(
      module_with(std::string(kEcho) + R"((func (export "alloc") (param i32) (result i32) i32.const 65530))"), "12345");
  EXPECT_EQ(report.result, "12345");
}

TEST_F(Protocol, InputThatFitsNoMemoryIsRefused) {
  const Report report = run(
      R"((module (memory (export "memory") 1 1) (func (export "run") (param i32 i32) (result i32) local.get 0)))", "x");
  EXPECT_EQ(report.code, "INPUT_TOO_LARGE");
  EXPECT_EQ(report.message, "the module exports no allocator and its memory cannot grow by 1 pages for the input");
}

TEST_F(Protocol, InputAboveTheLimitIsRefusedBeforeAnyCodeRuns) {
  Policy policy = with_log();
  policy.limits.input_bytes = 4;
  EXPECT_EQ(run(module_with(kEcho), "1234", policy).result, "1234");
  const Report over = run(module_with(kEcho), "12345", policy);
  EXPECT_EQ(over.code, "INPUT_TOO_LARGE");
  EXPECT_EQ(over.message, "the input has 5 bytes; limits.input_bytes allows 4");
  EXPECT_EQ(over.usage.peak_memory_bytes, 0u);
}

TEST_F(Protocol, ATrapInReleaseIsRecordedAndIgnored) {
  const Report report = run(module_with(std::string(kEcho) + R"(
      (func (export "femto_alloc") (param i32) (result i32) i32.const 1024)
      (func (export "femto_dealloc") (param i32 i32) unreachable))"),
                            "7");
  EXPECT_EQ(report.code, "");
  EXPECT_EQ(report.result, "7");
  EXPECT_EQ(report.release_trap, "femto_dealloc: unreachable (in femto_dealloc)");
  EXPECT_TRUE(report.outcome.completed());
}

TEST_F(Protocol, ReleaseIsNotCalledAfterATrap) {
  const Report report = run(R"((module (import "femto" "log" (func $log (param i32 i32))) (memory (export "memory") 1)
      (func (export "run") (param i32 i32) (result i32) unreachable)
      (func (export "malloc") (param i32) (result i32) i32.const 1024)
      (func (export "free") (param i32) (call $log (i32.const 0) (i32.const 1)))))",
                            "7", with_log());
  EXPECT_EQ(report.code, "TRAP");
  EXPECT_EQ(report.usage.host_calls, 0u);
}

TEST_F(Protocol, InitializeRunsOnceBeforeTheEntry) {
  const std::string counting = R"(
      (data (i32.const 16) "0\00")
      (func (export "_initialize") (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1))))
      (func (export "run") (result i32) i32.const 16)
      (func (export "show") (param i32 i32) (result i32) i32.const 16))";
  EXPECT_EQ(run(module_with(counting), {}, {}, "show").result, "1");
  EXPECT_EQ(run(module_with(counting), {}, {}, "_initialize").result, "null");
  const Report trap = run(module_with(R"((func (export "_initialize") unreachable) (func (export "run")))"));
  EXPECT_EQ(trap.code, "TRAP");
  EXPECT_EQ(trap.message, "unreachable (in _initialize)");
}

TEST_F(Protocol, NothingSurvivesAnExecution) {
  Sandbox one = sandbox();
  const Module module = must(one.load(test::wat(module_with(R"(
      (global $g (mut i32) (i32.const 48)) (data (i32.const 20) "0\00")
      (func (export "run") (param i32 i32) (result i32)
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (i32.store8 (i32.const 20) (i32.add (i32.load8_u (i32.const 20)) (i32.sub (global.get $g) (i32.const 48))))
        i32.const 20))"))));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(run(one, module).result, "1");
}

TEST_F(Protocol, ResultsMayComeFromFemtoResult) {
  const auto with_result = [&](std::string_view body) {
    return run(
        "(module (import \"femto\" \"result\" (func $result (param i32 i32) (result i32))) (memory (export \"memory\") "
        "1)"
        "(data (i32.const 16) \"onetwo\") (func (export \"run\") (param i32 i32) (result i32) " +
            std::string(body) + "))",
        "x");
  };
  EXPECT_EQ(with_result("(drop (call $result (i32.const 16) (i32.const 3))) (drop (call $result (i32.const 19) "
                        "(i32.const 3))) i32.const -1")
                .result,
            "\"two\"");
  EXPECT_EQ(with_result("(drop (call $result (i32.const 16) (i32.const 0))) i32.const 16").result, "null");
}

TEST_F(Protocol, ResultLengthExportIsAskedOnce) {
  const auto with_length = [&](std::string_view length) {
    return run(
        module_with("(data (i32.const 16) \"[1,2]\") (func (export \"run\") (param i32 i32) (result i32) i32.const 16)"
                    "(func (export \"femto_result_len\") (result i32) " +
                    std::string(length) + ")"));
  };
  EXPECT_EQ(with_length("i32.const 5").result, "[1,2]");
  EXPECT_EQ(with_length("i32.const 0").result, "null");
  EXPECT_EQ(with_length("i32.const -1").code, "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(with_length("i32.const -1").message, "femto_result_len returned -1");
  EXPECT_EQ(with_length("i32.const 65536").code, "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(with_length("unreachable").code, "TRAP");
}

TEST_F(Protocol, BadResultsFailTheExecution) {
  Policy small;
  small.limits.result_bytes = 3;
  const std::string returns =
      R"((data (i32.const 16) "1234\00") (data (i32.const 32) "\ff\00") (data (i32.const 65535) "x")
      (func (export "at16") (param i32 i32) (result i32) i32.const 16)
      (func (export "at32") (param i32 i32) (result i32) i32.const 32)
      (func (export "end") (param i32 i32) (result i32) i32.const 65536)
      (func (export "last") (param i32 i32) (result i32) i32.const 65535)
      (func (export "beyond") (param i32 i32) (result i32) i32.const -1)
      (func (export "packed") (param i32 i32) (result i64) i64.const 0xffff00000002))";
  const auto code = [&](std::string_view function, Policy policy = {}) {
    return run(module_with(returns), {}, policy, function).code;
  };
  EXPECT_EQ(code("at16"), "");
  EXPECT_EQ(code("at16", small), "RESULT_TOO_LARGE");
  EXPECT_EQ(code("at32"), "RESULT_INVALID_UTF8");
  EXPECT_EQ(code("end"), "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(code("last"), "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(code("beyond"), "RESULT_OUT_OF_BOUNDS");
  EXPECT_EQ(code("packed"), "RESULT_OUT_OF_BOUNDS");
  Policy bytes;
  bytes.result_format = policy::ResultFormat::bytes;
  EXPECT_EQ(run(module_with(returns), {}, bytes, "at32").result, "\xff");
  Policy json;
  json.result_format = policy::ResultFormat::json;
  EXPECT_EQ(run(module_with(kEcho), "plain", json).code, "RESULT_NOT_JSON");
}

TEST_F(Protocol, InputFormatsAreChecked) {
  Policy json;
  json.input_format = policy::DataFormat::json;
  EXPECT_EQ(run(module_with(kEcho), "{}", json).code, "");
  EXPECT_EQ(run(module_with(kEcho), "", json).code, "");
  const Report not_json = run(module_with(kEcho), "{", json);
  EXPECT_EQ(not_json.code, "DENIED_ARGUMENT_INVALID");
  EXPECT_EQ(not_json.message, "the input is not JSON, which input.format \"json\" asks for");
  EXPECT_EQ(not_json.outcome.kind(), "denied");
  EXPECT_EQ(run(module_with(kEcho), "\xff").code, "DENIED_ARGUMENT_INVALID");
  Policy bytes;
  bytes.input_format = policy::DataFormat::bytes;
  bytes.result_format = policy::ResultFormat::bytes;
  EXPECT_EQ(run(module_with(kEcho), "\xff", bytes).result, "\xff");
}

TEST_F(Protocol, ImportsAreCheckedAtLoad) {
  struct Case {
    const char* name;
    const char* text;
    const char* sentence;
  };
  const Case cases[] = {
      {"unknown field", R"((module (import "femto" "exec" (func (param i32)))))",
       "import \"femto\" \"exec\" (i32) -> () is not a host function"},
      {"unknown module", R"((module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))))",
       "import \"wasi_snapshot_preview1\" \"proc_exit\" (i32) -> () is not a host function"},
      {"wrong type", R"((module (import "femto" "log" (func (param i64) (result i32))) (memory (export "memory") 1)))",
       "import \"femto\" \"log\" has type (i64) -> i32; accepted: (i32, i32) -> i32 or (i32, i32) -> () or (i32, i32, "
       "i32) -> i32"},
      {"memory", R"((module (import "env" "memory" (memory 1))))",
       "import \"env\" \"memory\" is a memory; modules may import functions only"},
      {"global", R"((module (import "femto" "log" (global i32))))", "import \"femto\" \"log\" is a global"},
      {"host function without memory", R"((module (import "femto" "input" (func (param i32 i32) (result i32)))))",
       "import \"femto\" \"input\" takes pointers, but the module exports no memory named \"memory\""},
      {"entry without memory", R"((module (func (export "run") (param i32 i32) (result i32) i32.const 0)))",
       "entry \"run\" (i32, i32) -> i32 takes input, but the module exports no memory named \"memory\""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const base::Error error = load_error(c.text);
    EXPECT_EQ(error.name, "LINK");
    EXPECT_THAT(error.message, HasSubstr(c.sentence));
  }
}

TEST_F(Protocol, BadBytesNeverGetFurtherThanTheValidator) {
  Sandbox one = sandbox();
  const base::Bytes good = test::wat(module_with(kEcho));
  EXPECT_EQ(one.load(base::as_bytes("garbage")).error().name, "COMPILE");
  EXPECT_EQ(one.load({}).error().name, "COMPILE");
  std::size_t refused = 0;
  for (std::size_t size = 1; size < good.size(); ++size) {
    const auto cut = one.load(std::span(good).first(size));
    refused += cut ? 0 : 1;
    EXPECT_EQ(cut ? "COMPILE" : cut.error().name, "COMPILE") << size;
  }
  EXPECT_GE(refused, good.size() - 5) << "only a cut between two sections leaves a module";
  Policy small;
  small.limits.module_bytes = good.size() - 1;
  Sandbox tight = sandbox(small);
  EXPECT_EQ(tight.load(good).error().name, "MODULE_TOO_LARGE");
  const Module from_outside = must(Module::from_bytes(good));
  EXPECT_EQ(run(tight, from_outside).code, "MODULE_TOO_LARGE");
}

TEST_F(Protocol, ListsEveryExportedFunctionVerbatim) {
  const Sandbox one = sandbox();
  const base::Bytes wasm =
      test::wat(R"((module (memory (export "memory") 1) (func (export "func.b")) (func (export "a b"))
      (global (export "g") i32 (i32.const 0)) (func (export "_start"))))");
  EXPECT_EQ(*one.list_functions(wasm), (std::vector<std::string>{"func.b", "a b", "_start"}));
}

TEST_F(Protocol, ExecutesBytesAsWellAsModules) {
  Sandbox one = sandbox();
  const base::Bytes wasm = test::wat(module_with(kEcho));
  const auto output = one.execute(wasm, "run", "[5]");
  ASSERT_TRUE(output.has_value());
  EXPECT_EQ(output->result, "[5]");
  EXPECT_EQ(one.execute_with_memory(must(Module::from_bytes(wasm)), "run", "[6]")->result, "[6]");
  one.execute(wasm, "run", "[7]").value();
  EXPECT_EQ(one.stats().compile.count, 2u) << "the second execute of the same bytes compiles nothing";
}

}  // namespace
}  // namespace fusebox::capability
