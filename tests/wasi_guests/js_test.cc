// The JavaScript interpreter, on the real engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wasi_guests/guest_run.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Ran {
  std::string out;
  std::string err;
  std::int32_t exit_code = -1;
};

Ran expression(const std::string& text) {
  GuestRun run("js", {"-e", text, "x", "y z"});
  run.envs = {"NAME=value"};
  run.finish();
  return {run.out(), run.err(), run.exit_code};
}

struct JsCase {
  const char* name;
  const char* text;
  const char* out;
};
class JavaScript : public ::testing::TestWithParam<JsCase> {};

TEST_P(JavaScript, PrintsWhatItShould) {
  const Ran ran = expression(GetParam().text);
  EXPECT_EQ(ran.out, std::string(GetParam().out) + "\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Expressions, JavaScript,
    ::testing::Values(
        JsCase{"Numbers", "print(6 * 7, 0.1 + 0.2, 2n ** 64n)", "42 0.30000000000000004 18446744073709551616n"},
        JsCase{"Objects", "console.log({a: [1, 'x', {b: null}], f() {}}, undefined)",
               R"({ a: [ 1, "x", { b: null } ], f: [Function f] } undefined)"},
        JsCase{"Circles", "const a = {}; a.a = a; print(a)", "{ a: { a: { a: { a: { a: [Object] } } } } }"},
        JsCase{"Arguments", "print(std.args, std.env)", R"([ "x", "y z" ] { NAME: "value" })"},
        JsCase{"Promises", "(async () => { await null; print('later') })(); std.writeFile('/dev/null', '')", "later"},
        JsCase{"RegularExpressions", "print('2026-11-21'.replace(/(\\d+)-(\\d+)/, '$2/$1'))", "11/2026-21"},
        JsCase{"Recursion", "try { (function f() { f() })() } catch (e) { print(e.name) }", "RangeError"},
        JsCase{"Errors", "try { std.readFile('/none') } catch (e) { print(e.message) }",
               "/none: No such file or directory"},
        JsCase{"ReadOnlyFiles", "try { std.writeFile('/app.wasm', '') } catch (e) { print(e.message) }",
               "/app.wasm: Read-only file system"}),
    [](const auto& text) { return std::string(text.param.name); });

TEST(Js, ExceptionsEndWithOne) {
  const Ran ran = expression("print('before'); throw new Error('no')");
  EXPECT_EQ(ran.out, "before\n");
  EXPECT_THAT(ran.err, StartsWith("Error: no\n"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(expression("(").err, StartsWith("SyntaxError"));
  EXPECT_EQ(expression("Promise.reject(1)").exit_code, 1);
  EXPECT_EQ(expression("Promise.reject(1).catch(() => 0)").exit_code, 0);
}

TEST(Js, ExitsAndSleeps) {
  EXPECT_EQ(expression("std.exit(7)").exit_code, 7);
  GuestRun run("js", {"-e", "const t = std.now(); std.sleep(1250); print(std.now() - t)"});
  run.finish();
  EXPECT_EQ(run.out(), "1250\n");
}

TEST(Js, FilesAndModules) {
  GuestRun run("js", {"/data/main.mjs", "world"});
  run.write("main.mjs",
            "import greet, {mark} from './lib/greet.mjs';\n"
            "std.writeFile('/data/out', greet(std.args[0]) + mark);\n"
            "std.appendFile('/data/out', new Uint8Array([33, 10]));\n"
            "print(std.readFile('/data/out'), std.readFile('/data/out', 'bytes').length);\n");
  run.write("lib/greet.mjs", "export const mark = await Promise.resolve('.'); export default (who) => `hello ${who}`;");
  run.finish();
  EXPECT_EQ(run.err(), "");
  EXPECT_EQ(run.out(), "hello world.!\n 14\n");
  EXPECT_EQ(run.read("out"), "hello world.!\n");
}

TEST(Js, MissingScriptsAndModulesAreNamed) {
  GuestRun script("js", {"/data/none.js"});
  script.finish();
  EXPECT_EQ(script.err(), "js: /data/none.js: No such file or directory\n");
  EXPECT_EQ(script.exit_code, 2);

  GuestRun module("js", {"/data/a.mjs"});
  module.write("a.mjs", "import './b.mjs'");
  module.finish();
  EXPECT_THAT(module.err(), HasSubstr("/data/b.mjs: No such file or directory"));
  EXPECT_EQ(module.exit_code, 1);
}

TEST(Js, StatementsFromStandardInput) {
  GuestRun run("js", {});
  run.input("1 + 1\nlet x = {a: 'b'}\nx\nfunction f(n) {\n  return n * 2\n}\nf(21)\nnope\n'last'");
  run.finish();
  EXPECT_EQ(run.out(), "2\n{ a: \"b\" }\n42\n\"last\"\n");
  EXPECT_THAT(run.err(), StartsWith("ReferenceError: nope is not defined"));
  EXPECT_EQ(run.exit_code, 0);
}

TEST(Js, MemoryThatIsUpIsAnException) {
  GuestRun run("js", {"-e", "const all = []; for (;;) all.push('x'.repeat(100000))"});
  run.memory_bytes = 4u << 20;
  run.finish();
  EXPECT_THAT(run.err(), StartsWith("InternalError: out of memory"));
  EXPECT_EQ(run.exit_code, 1);
}

TEST(Js, RunsInSixteenPages) {
  GuestRun run("js", {"-e", "print([1, 2, 3].map((x) => x * x))"});
  run.memory_bytes = 16 * 65536;
  run.finish();
  EXPECT_EQ(run.out(), "[ 1, 4, 9 ]\n");
}

TEST(Js, EndlessScriptsAreStopped) {
  GuestRun run("js", {"-e", "for (;;) ;"});
  run.start();
  run.stop();
  run.finish();
  EXPECT_EQ(run.outcome.kind(), "stopped");
}

}  // namespace
}  // namespace fusebox::testing
