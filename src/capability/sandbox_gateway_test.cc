// Guests compiled from C at work through the gateways, and everything hostile.c tries: contract capability.md sections
// 5, 8, 10.
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "capability/manifest.h"
#include "support/http_test_server.h"
#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace fs = std::filesystem;

Module guest(std::string_view name) {
  return must(Module::from_file(fs::path(FUSEBOX_GUEST_DIR) / (std::string(name) + ".wasm")));
}

class Gateways : public SandboxTest {
 protected:
  Gateways() : folder_(must(base::TempDir::create())) {}

  static bool answer(const testing::SeenRequest&, testing::TestConnection& connection) {
    connection.write(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"answer\":\"42\"}");
    return true;
  }
  Policy job_policy(std::uint16_t port) {
    Policy policy = with_log();
    policy.http.enabled = true;
    policy::HttpRule rule;
    rule.scheme = "http";
    rule.host = "127.0.0.1";
    rule.port = port;
    rule.methods = {"GET"};
    rule.path = "/v1";
    rule.allow_private = true;
    policy.http.allow.push_back(rule);
    policy.fs_write.enabled = true;
    policy.fs_write.roots.push_back({.guest = "/out", .host = folder_.path().string()});
    return policy;
  }
  static std::string url(std::uint16_t port, std::string_view path) {
    return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
  }

  base::TempDir folder_;
};

TEST_F(Gateways, AGuestAsksAServiceAndWritesAFile) {
  testing::HttpTestServer server(answer);
  Sandbox one = sandbox(job_policy(server.port()));
  const Report report = run(
      one, guest("json_transform"),
      R"({"name":"order 7","url":")" + url(server.port(), "/v1/price?key=secret") + R"(","path":"/out/order.json"})");
  ASSERT_EQ(report.code, "") << report.message;
  EXPECT_EQ(report.result, R"({"name":"order 7","status":200,"answer":{"answer":"42"},"written":56})");
  EXPECT_EQ(must(base::read_file(folder_.path() / "order.json", 1000)),
            R"({"name":"order 7","status":200,"answer":{"answer":"42"}})");
  ASSERT_THAT(server.seen(), SizeIs(1));
  EXPECT_EQ(server.seen()[0].target, "/v1/price?key=secret");

  EXPECT_THAT(audit(one, "host_call"), SizeIs(3)) << "log, http.request, fs.write";
  for (const std::string& line : audit(one, "host_call")) EXPECT_EQ(line.find("secret"), line.npos) << line;
  for (const std::string& line : audit(one, "authorization_decision")) {
    EXPECT_EQ(line.find("secret"), line.npos) << line;
    EXPECT_THAT(line, HasSubstr("\"decision\":\"AUTHORIZED\""));
  }
}

TEST_F(Gateways, WhatThePolicyDoesNotAllowReachesNobody) {
  testing::HttpTestServer server(answer);
  Sandbox one = sandbox(job_policy(server.port()));
  const Report path = run(one, guest("json_transform"), R"({"name":1,"url":")" + url(server.port(), "/v2") + R"("})");
  EXPECT_THAT(path.result, HasSubstr(R"({"step":"http.request","error":{"type":"DENIED_POLICY_VIOLATION")"));
  const Report file = run(one, guest("json_transform"),
                          R"({"name":1,"url":")" + url(server.port(), "/v1") + R"(","path":"/out/../x"})");
  EXPECT_THAT(file.result, HasSubstr(R"({"step":"fs.write","error":{"type":"DENIED_POLICY_VIOLATION")"));
  EXPECT_THAT(server.seen(), SizeIs(1)) << "only the second run's request was allowed";
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(Gateways, EverythingHostileIsStoppedNamedAndAudited) {
  struct Case {
    const char* mode;
    const char* code;
    const char* result;
    const char* audited;  // a type of record that must exist
  };
  const Case cases[] = {
      {"other_host", "", "DENIED_POLICY_VIOLATION", "authorization_decision"},
      {"outside_root", "", "DENIED_POLICY_VIOLATION", "authorization_decision"},
      {"absolute_path", "", "DENIED_POLICY_VIOLATION", "authorization_decision"},
      {"big_memory", "", R"({"tried":"big_memory","code":-1})", "execution_complete"},
      {"spin", "CPU_LIMIT", "", "execution_failed"},
      {"recurse", "STACK_OVERFLOW", "", "execution_failed"},
      {"forged_pointer", "GUEST_MEMORY_FAULT", "", "security_violation"},
      {"log_flood", "", R"("code":1000,"error":{"type":"DENIED_POLICY_VIOLATION")", "execution_complete"},
      {"trap", "TRAP", "", "execution_failed"},
  };
  Policy policy = with_log();
  policy.limits.cpu_ms = 50;
  policy.http.enabled = true;
  policy.fs_read.enabled = true;
  policy.fs_read.roots.push_back({.guest = "/data", .host = folder_.path().string()});
  const Module hostile = guest("hostile");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.mode);
    Sandbox one = sandbox(policy);
    const Report report = run(one, hostile, c.mode);
    EXPECT_EQ(report.code, c.code) << report.message;
    EXPECT_THAT(report.result, HasSubstr(c.result));
    EXPECT_FALSE(audit(one, c.audited).empty());
  }
}

TEST_F(Gateways, OnDeniedTrapAppliesToGatewaysToo) {
  Policy policy;
  policy.on_denied = policy::OnDenied::trap;
  policy.http.enabled = true;
  const Report report = run(*std::make_unique<Sandbox>(sandbox(policy)), guest("hostile"), "other_host");
  EXPECT_EQ(report.code, "CAPABILITY_DENIED");
  EXPECT_EQ(report.capability, "http.request");
}

TEST_F(Gateways, AMissingRootIsAConfigurationError) {
  Policy policy;
  policy.fs_read.enabled = true;
  policy.fs_read.roots.push_back({.guest = "/data", .host = (folder_.path() / "none").string()});
  const auto made = Sandbox::create(policy, options());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().name, "POLICY_INVALID");
  EXPECT_THAT(made.error().message, HasSubstr("/data"));
}

TEST_F(Gateways, HelloGreets) {
  Sandbox one = sandbox();
  EXPECT_EQ(run(one, guest("hello"), "Ada").result, "\"hello, Ada\"");
  EXPECT_EQ(run(one, guest("hello"), "").result, "\"hello, world\"");
}

TEST_F(Gateways, SideFilesBesideAModuleAreTaken) {
  const fs::path module = folder_.path() / "m.wasm";
  fs::copy_file(fs::path(FUSEBOX_GUEST_DIR) / "hello.wasm", module);
  EXPECT_EQ(must(Module::from_file(module)).manifest(), nullptr);
  std::ofstream(folder_.path() / "m.manifest.json")
      << R"({"id":"greet","version":"1.2.0","abi":"FC-ABI-1.0.0","description":"greets","type":"capability","permissions":["log"]})";
  const Module with = must(Module::from_file(module));
  ASSERT_NE(with.manifest(), nullptr);
  EXPECT_EQ(with.manifest()->id, "greet");
  const auto missing = Module::from_file(folder_.path() / "other.wasm");
  EXPECT_EQ(missing.error().name, "IO");
}

}  // namespace
}  // namespace fusebox::capability
