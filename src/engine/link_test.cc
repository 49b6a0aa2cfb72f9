// Imports: exact types, clear refusals, and what a host function sees and may do.
#include <stdexcept>
#include <string>

#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

constexpr ValType I = ValType::i32;

bool add(HostContext&, void*, RawValue* values) {
  values[0].i32 = values[0].i32 + values[1].i32;
  return true;
}
bool nothing(HostContext&, void*, RawValue*) {
  return true;
}

class Link : public testing::Test {
 protected:
  base::Error refusal(std::string_view wat, std::vector<HostImport> imports) {
    const auto code = must(Code::compile(engine_, test::wat(wat)));
    auto program = Program::link(code, imports);
    EXPECT_FALSE(program);
    return program ? base::Error{} : program.error();
  }
  std::shared_ptr<Engine> engine_ = must(Engine::create(small_engine(Stopping::none)));
};

TEST_F(Link, HostFunctionsReceiveArgumentsAndReturnResults) {
  const std::vector<HostImport> imports = {{"env", "add", {{I, I}, {I}}, &add, nullptr}};
  auto instance =
      instance_of(program_of(engine_, R"((module (import "env" "add" (func $add (param i32 i32) (result i32)))
    (func (export "run") (result i32) i32.const 20 i32.const 22 call $add)))",
                             imports));
  const Called called = call(*instance, "run");
  EXPECT_EQ(called.values[0].i32, 42);
  EXPECT_EQ(called.outcome.usage.host_calls, 1u);
}

TEST_F(Link, UnknownImportIsNamedWithItsType) {
  const base::Error error = refusal(R"((module (import "env" "launch" (func (param i32 i64) (result f32)))))", {});
  EXPECT_EQ(error.code, base::Errc::invalid);
  EXPECT_EQ(error.name, "LINK");
  EXPECT_EQ(error.message,
            "import env.launch: unknown function of type (i32, i64) -> f32; Fusebox offers nothing of that name here");
}

TEST_F(Link, WrongTypeIsNamedWithEveryTypeOffered) {
  const std::vector<HostImport> imports = {{"femto", "log", {{I, I}, {I}}, &nothing, nullptr},
                                           {"femto", "log", {{I, I}, {}}, &nothing, nullptr}};
  const base::Error error = refusal(R"((module (import "femto" "log" (func (param i32) (result i32)))))", imports);
  EXPECT_EQ(error.message,
            "import femto.log: type is (i32) -> i32; Fusebox offers (i32, i32) -> i32, (i32, i32) -> ()");
}

TEST_F(Link, TheEntryWithTheModulesTypeIsTaken) {
  const std::vector<HostImport> imports = {{"m", "f", {{}, {}}, &nothing, nullptr},
                                           {"m", "f", {{I, I}, {I}}, &add, nullptr}};
  auto instance = instance_of(program_of(engine_, R"((module (import "m" "f" (func $f (param i32 i32) (result i32)))
    (func (export "run") (result i32) i32.const 1 i32.const 2 call $f)))",
                                         imports));
  EXPECT_EQ(call(*instance, "run").values[0].i32, 3);
}

TEST_F(Link, OnlyFunctionsCanBeImported) {
  EXPECT_EQ(refusal(R"((module (import "env" "memory" (memory 1))))", {}).message,
            "import env.memory: is a memory; only functions can be imported");
}

TEST_F(Link, OneNameWithTwoTypesIsRefused) {
  const std::vector<HostImport> imports = {{"m", "f", {{}, {}}, &nothing, nullptr},
                                           {"m", "f", {{I, I}, {I}}, &add, nullptr}};
  const base::Error error =
      refusal(R"((module (import "m" "f" (func)) (import "m" "f" (func (param i32 i32) (result i32)))))", imports);
  EXPECT_EQ(error.message, "import m.f: is imported with two types, () -> () and (i32, i32) -> i32; use one");
}

struct Ender {
  const char* name;
  HostFunction function;
  const char* kind;
  const char* message;
};
const Ender kEnders[] = {
    {"trap",
     [](HostContext& c, void*, RawValue*) {
       c.trap("bad pointer");
       return false;
     },
     "trapped", "trapped: host function failed: bad pointer"},
    {"denied",
     [](HostContext& c, void*, RawValue*) {
       c.end(Denied{"fs.read", "no such root"});
       return false;
     },
     "denied", "denied: fs.read: no such root"},
    {"exit",
     [](HostContext& c, void*, RawValue*) {
       c.end(Exited{3});
       return false;
     },
     "exited", "exited with status 3"},
    {"no reason", [](HostContext&, void*, RawValue*) { return false; }, "trapped",
     "trapped: host function failed: host function env.end failed without a reason"},
    {"throws", [](HostContext&, void*, RawValue*) -> bool { throw std::runtime_error("out of paper"); }, "trapped",
     "trapped: host function failed: host function env.end threw: out of paper"},
    {"throws anything", [](HostContext&, void*, RawValue*) -> bool { throw 7; }, "trapped",
     "trapped: host function failed: host function env.end threw"},
};

TEST_F(Link, HostFunctionsEndTheCallTheWayTheySay) {
  for (const Ender& c : kEnders) {
    SCOPED_TRACE(c.name);
    const std::vector<HostImport> imports = {{"env", "end", {{}, {}}, c.function, nullptr}};
    auto instance = instance_of(program_of(
        engine_, R"((module (import "env" "end" (func $end)) (func $run (export "run") call $end unreachable)))",
        imports));
    const Called called = call(*instance, "run");
    EXPECT_EQ(called.outcome.kind(), c.kind);
    EXPECT_EQ(called.outcome.message(), c.message);
    if (trapped(called.outcome) != nullptr) {
      ASSERT_FALSE(trapped(called.outcome)->backtrace.empty());
      EXPECT_EQ(trapped(called.outcome)->backtrace[0].function, "run");
    }
    EXPECT_EQ(call(*instance, "run").outcome.kind(), "failed");
  }
}

TEST_F(Link, AnEndAskedForAndNotTakenIsForgotten) {
  const HostFunction ask = [](HostContext& c, void*, RawValue* v) {
    if (v[0].i32 == 0) c.end(Exited{9});
    return v[0].i32 == 0;
  };
  const std::vector<HostImport> imports = {{"env", "ask", {{I}, {}}, ask, nullptr}};
  auto instance = instance_of(program_of(engine_, R"((module (import "env" "ask" (func $ask (param i32)))
    (func (export "run") (param i32) local.get 0 call $ask)))",
                                         imports));
  EXPECT_TRUE(call(*instance, "run", {i32(0)}).outcome.completed());
  EXPECT_EQ(call(*instance, "run", {i32(1)}).outcome.message(),
            "trapped: host function failed: host function env.ask failed without a reason");
}

TEST_F(Link, ExitWithZeroLeavesTheInstanceUsable) {
  const std::vector<HostImport> imports = {{"env",
                                            "exit",
                                            {{I}, {}},
                                            [](HostContext& c, void*, RawValue* v) {
                                              c.end(Exited{v[0].i32});
                                              return false;
                                            },
                                            nullptr}};
  auto instance = instance_of(program_of(engine_, R"((module (import "env" "exit" (func $exit (param i32)))
    (func (export "run") (param i32) local.get 0 call $exit unreachable)))",
                                         imports));
  EXPECT_EQ(call(*instance, "run", {i32(0)}).outcome.message(), "exited with status 0");
  EXPECT_EQ(call(*instance, "run", {i32(0)}).outcome.message(), "exited with status 0");
  EXPECT_EQ(call(*instance, "run", {i32(1)}).outcome.message(), "exited with status 1");
  EXPECT_EQ(call(*instance, "run", {i32(0)}).outcome.kind(), "failed");
}

TEST_F(Link, HostFunctionsSeeUserEnvAndMemory) {
  int user = 5;
  int env = 6;
  const HostFunction peek = [](HostContext& c, void* e, RawValue* v) {
    v[0].i32 = *static_cast<int*>(c.user()) * 100 + *static_cast<int*>(e) * 10 + std::to_integer<int>(c.memory()[1]);
    return true;
  };
  const std::vector<HostImport> imports = {{"env", "peek", {{}, {I}}, peek, &env}};
  auto instance = instance_of(
      program_of(engine_, R"((module (import "env" "peek" (func $peek (result i32))) (memory (export "memory") 1)
    (data (i32.const 1) "\07") (func (export "run") (result i32) call $peek)))",
                 imports),
      {}, &user);
  EXPECT_EQ(call(*instance, "run").values[0].i32, 567);
}

TEST_F(Link, AHostFunctionMayCallOtherInstancesButNotItsOwn) {
  auto inner = instance_of(program_of(engine_, R"((module (func (export "two") (result i32) i32.const 2)))"));
  std::string own;
  struct Env {
    Instance* inner;
    std::string* own;
  } shared{inner.get(), &own};
  const HostFunction nest = [](HostContext& c, void* e, RawValue* v) {
    auto& env = *static_cast<Env*>(e);
    v[0].i32 = call(*env.inner, "two").values[0].i32;
    *env.own = call(c.instance(), "run").outcome.message();
    return true;
  };
  const std::vector<HostImport> imports = {{"env", "nest", {{}, {I}}, nest, &shared}};
  auto outer = instance_of(program_of(
      engine_,
      R"((module (import "env" "nest" (func $nest (result i32))) (func (export "run") (result i32) call $nest)))",
      imports));
  EXPECT_EQ(call(*outer, "run").values[0].i32, 2);
  EXPECT_EQ(own, "failed: call: the instance is in a call already; a host function may call other instances only");
}

}  // namespace
}  // namespace fusebox::engine
