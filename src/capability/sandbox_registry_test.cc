// Registered capabilities and the five decisions: contract capability.md sections 8.6 and 9.
#include "base/json.h"
#include "capability/decision.h"
#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kEcho = R"((module (memory (export "memory") 1)
  (func (export "run") (param i32 i32) (result i32) local.get 0)))";
constexpr std::string_view kLogs = R"((module (import "femto" "log" (func $log (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param i32 i32) (result i32)
    (if (i32.ne (call $log (i32.const 0) (i32.const 1)) (i32.const -4)) (then (return (i32.const 0)))) (unreachable))))";

class Registry : public SandboxTest {
 protected:
  static Policy allowing(std::string_view id, std::vector<std::string> hosts = {}, std::string schema = {}) {
    Policy policy = with_log();
    policy.registered[std::string(id)] = {true, std::move(schema), std::move(hosts)};
    return policy;
  }
  static Module load(Sandbox& sandbox, std::string_view text) { return must(sandbox.load(test::wat(text))); }
};

TEST_F(Registry, InvokeRunsTheRegisteredFunctionWithItsArguments) {
  Sandbox one = sandbox(allowing("math.echo"));
  must_ok(one.register_capability(load(one, kEcho),
                                  {.id = "math.echo", .version = "1.0.0", .description = {}, .function = {}}));
  EXPECT_EQ(one.invoke("math.echo", R"({"n":1})"), R"({"status":"success","result":{"n":1}})");
  EXPECT_EQ(one.stats().invocations, 1u);
  EXPECT_EQ(one.stats().decisions[static_cast<std::size_t>(Decision::authorized)], 1u);
}

TEST_F(Registry, EveryDenialHasItsCodeAndExecutesNothing) {
  Sandbox one = sandbox(allowing("math.echo", {}, R"({"type":"object","required":["n"]})"));
  must_ok(
      one.register_capability(load(one, kEcho), {.id = "math.echo", .version = {}, .description = {}, .function = {}}));
  must_ok(
      one.register_capability(load(one, kEcho), {.id = "math.off", .version = {}, .description = {}, .function = {}}));
  struct Case {
    const char* id;
    const char* arguments;
    const char* code;
    const char* sentence;
  };
  const Case cases[] = {
      {"math.none", "{}", "DENIED_CAPABILITY_NOT_FOUND", R"(no capability "math.none" is registered)"},
      {"math.off", "{}", "DENIED_CAPABILITY_DISABLED", R"(the policy does not enable "math.off")"},
      {"math.echo", "{}", "DENIED_ARGUMENT_INVALID", "n"},
      {"math.echo", "{", "DENIED_ARGUMENT_INVALID", ""},
      {"math.echo", "", "DENIED_ARGUMENT_INVALID", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.id);
    const Report report = one.run_capability(c.id, c.arguments);
    EXPECT_EQ(report.code, c.code);
    EXPECT_THAT(report.message, HasSubstr(c.sentence));
    EXPECT_EQ(report.outcome.kind(), "denied");
  }
  EXPECT_EQ(one.stats().executions, 0u);
  EXPECT_THAT(audit(one, "authorization_decision"), SizeIs(5));
  EXPECT_THAT(audit(one, "execution_start"), SizeIs(0));
  const std::string reply = one.invoke("math.none", "{}");
  EXPECT_TRUE(base::json::is_valid(reply));
  EXPECT_THAT(reply,
              HasSubstr(R"({"status":"error","error":"no capability \"math.none\" is registered","details":{"id":")"));
  EXPECT_THAT(
      reply,
      HasSubstr(R"("code":"DENIED_CAPABILITY_NOT_FOUND","category":"AUTHORIZATION_ERROR","severity":"WARNING")"));
}

TEST_F(Registry, HostFunctionsAreTheIntersectionOfPolicyAndHosts) {
  Sandbox without = sandbox(allowing("a.logs"));
  must_ok(without.register_capability(load(without, kLogs),
                                      {.id = "a.logs", .version = {}, .description = {}, .function = {}}));
  EXPECT_EQ(without.run_capability("a.logs", "{}").code, "TRAP")
      << "log is enabled, but not among the capability's hosts";
  Sandbox with = sandbox(allowing("a.logs", {"log"}));
  must_ok(
      with.register_capability(load(with, kLogs), {.id = "a.logs", .version = {}, .description = {}, .function = {}}));
  EXPECT_EQ(with.run_capability("a.logs", "{}").code, "");
}

TEST_F(Registry, RefusesBadIdsHostIdsAndDuplicates) {
  Sandbox one = sandbox();
  const Module module = load(one, kEcho);
  const auto error = [&](std::string_view id) {
    auto registered =
        one.register_capability(module, {.id = std::string(id), .version = {}, .description = {}, .function = {}});
    return registered ? std::string() : registered.error().name + ": " + registered.error().message;
  };
  EXPECT_THAT(error("Math"), HasSubstr("POLICY_INVALID: \"Math\" is not a capability id"));
  EXPECT_THAT(error(""), HasSubstr("is not a capability id"));
  EXPECT_EQ(error("http.request"), "POLICY_INVALID: \"http.request\" is a host capability and cannot be registered");
  EXPECT_EQ(error("filesystem.read"),
            "POLICY_INVALID: \"filesystem.read\" is a host capability and cannot be registered");
  EXPECT_EQ(error("math.echo"), "");
  EXPECT_EQ(error("math.echo"), "IN_USE: \"math.echo\" is registered already");
  must_ok(one.unregister_capability("math.echo"));
  EXPECT_EQ(error("math.echo"), "");
  EXPECT_EQ(one.unregister_capability("math.other").error().name, "DENIED_CAPABILITY_NOT_FOUND");
  const auto missing =
      one.register_capability(module, {.id = "a.b", .version = {}, .description = {}, .function = "go"});
  EXPECT_EQ(missing.error().name, "FUNCTION_NOT_FOUND");
}

TEST_F(Registry, TheErrorObjectHasEveryKeyInOrder) {
  const auto failed = sandbox().execute(test::wat("(module (func (export \"run\") unreachable))"));
  ASSERT_FALSE(failed.has_value());
  const std::string json = error_json(failed.error());
  std::size_t at = 0;
  for (const char* key :
       {"\"id\":\"", "\"code\":\"TRAP\"", "\"category\":\"CAPABILITY_ERROR\"", "\"severity\":\"ERROR\"",
        "\"message\":\"", "\"reason\":\"unreachable\"", "\"capability\":null", "\"execution_id\":\"",
        "\"timestamp\":\"", "\"subsystem\":\"execution\"", "\"usage\":{\"cpu_us\":"}) {
    at = json.find(key, at);
    EXPECT_NE(at, json.npos) << key << " in " << json;
  }
  EXPECT_TRUE(base::json::is_valid(json));
  EXPECT_EQ(
      error_json(base::Error{base::Errc::bug, "x", {}, nullptr}),
      R"({"id":null,"code":"INTERNAL","category":"RUNTIME_ERROR","severity":"CRITICAL","message":"x","reason":null,)"
      R"("capability":null,"execution_id":null,"timestamp":null,"subsystem":"runtime","usage":null})");
}

}  // namespace
}  // namespace fusebox::capability
