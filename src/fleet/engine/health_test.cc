// What a guest says of its health, and what of it is kept.
#include "fleet/engine/health_verdict.h"
#include "fleet/engine/reconcile_test_support.h"

namespace fusebox::fleet {
namespace {

BootMaterial material_with(std::string secret) {
  BootMaterial material;
  material.request.secrets.emplace("KEY", std::move(secret));
  return material;
}

TEST(HealthVerdict, IsTheFourFieldsAndNothingElse) {
  struct Case {
    const char* name;
    std::string file;
    std::string verdict;  // "" = none
  };
  const Case cases[] = {
      {"least", R"({"state":"starting","since":"2026-01-01T00:00:00Z"})",
       R"({"since":"2026-01-01T00:00:00Z","state":"starting"})"},
      {"most", R"({"state":"failing","since":"2026-01-01T00:00:00Z","failures":3,"message":"no answer"})",
       R"({"failures":3,"message":"no answer","since":"2026-01-01T00:00:00Z","state":"failing"})"},
      {"others are left out", R"({"state":"passing","since":"2026-01-01T00:00:00Z","x":{"y":[1]},"message":7})",
       R"({"since":"2026-01-01T00:00:00Z","state":"passing"})"},
      {"secrets are taken out", R"({"state":"failing","since":"2026-01-01T00:00:00Z","message":"got hunter22"})",
       R"({"message":"got [REDACTED]","since":"2026-01-01T00:00:00Z","state":"failing"})"},
      {"another state", R"({"state":"fine","since":"2026-01-01T00:00:00Z"})", ""},
      {"no state", R"({"since":"2026-01-01T00:00:00Z"})", ""},
      {"no time", R"({"state":"passing"})", ""},
      {"a time that is none", R"({"state":"passing","since":"yesterday"})", ""},
      {"not JSON", "passing", ""},
      {"no object", R"(["state"])", ""},
      {"empty", "", ""},
  };
  const BootMaterial material = material_with("hunter22");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(read_health_verdict(c.file, material).value_or(""), c.verdict);
  }
}

TEST(HealthVerdict, ItsMessageIsCutAfterItsSecretsAreOut) {
  const auto file = [](const std::string& message) {
    return R"({"state":"failing","since":"2026-01-01T00:00:00Z","message":")" + message + R"("})";
  };
  const std::string secret = "0123456789abcdef";
  const std::string before(kHealthMessageBytesMax - 4, 'x');
  const auto verdict = read_health_verdict(file(before + secret), material_with(secret));
  ASSERT_TRUE(verdict);
  EXPECT_NE(verdict->find("x[RED\""), std::string::npos) << *verdict;
  const auto whole = read_health_verdict(file(std::string(kHealthMessageBytesMax - 1, 'x') + "\u00e9"), {});
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->find("\u00e9"), std::string::npos) << "a character is not cut in two";
}

TEST(HealthVerdict, AFileOfMoreThanItsBoundSaysNone) {
  const std::string head = R"({"state":"passing","since":"2026-01-01T00:00:00Z","pad":")";
  const std::string most = head + std::string(kHealthBytesMax - head.size() - 2, 'x') + R"("})";
  ASSERT_EQ(most.size(), kHealthBytesMax);
  EXPECT_TRUE(read_health_verdict(most, {}));
  EXPECT_FALSE(read_health_verdict(most + " ", {}));
}

struct Health : TickTest {
  // Of an environment whose guest says this.
  void says(std::string text) {
    file = std::move(text);
    host("h1").faults.exec = [this](const std::string&, const host::ProcessSpec& spec) {
      asked = spec;
      return base::Result<host::ExecResult>(host::ExecResult{{0, "", false}, file, "", false, false});
    };
  }
  void make(std::string secret) {
    add_host("h1");
    says("");
    CreateRequest wanted = request("a");
    wanted.healthcheck_json = R"({"exec":["true"]})";
    wanted.secrets.emplace("KEY", std::move(secret));
    const auto made = await(engine->create(executor, {}, wanted));
    ASSERT_TRUE(made) << made.error().message;
    begin_ticks();
  }
  std::string file;
  host::ProcessSpec asked;
};

TEST_F(Health, AVerdictIsInTheRowItsViewAndItsEvents) {
  make("hunter22");
  says(R"({"since":"2026-01-01T00:00:00Z","state":"failing","message":"hunter22 is wrong","more":1})");
  tick();
  const std::string verdict = R"({"message":"[REDACTED] is wrong","since":"2026-01-01T00:00:00Z","state":"failing"})";
  EXPECT_EQ(row("fuse-a")->health_json, verdict);
  EXPECT_NE(row("fuse-a")->view_json.find(verdict), std::string::npos);
  EXPECT_EQ(asked.output_bytes_max, kHealthBytesMax);
  const auto events = env_events("fuse-a");
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().kind, "health");
  EXPECT_EQ(events.back().payload_json, R"({"event":"health","vm_id":"fuse-a","payload":)" + verdict + "}");
}

TEST_F(Health, AVerdictThatAnOlderViewHidesIsShownAgain) {
  make("hunter22");
  says(R"({"since":"2026-01-01T00:00:00Z","state":"passing"})");
  const EnvironmentRow before = *row("fuse-a");
  tick();
  write([&](Tx& tx) -> base::Result<void> {
    tx.update_environment(before, before.generation);  // an operation that had read it before
    return {};
  });
  ASSERT_EQ(row("fuse-a")->view_json.find("passing"), std::string::npos);
  tick();
  EXPECT_NE(row("fuse-a")->view_json.find(file), std::string::npos);
  EXPECT_EQ(std::ranges::count(audit_of("fuse-a"), "vm.health_changed", &EventRow::event_type), 1);
}

TEST_F(Health, WhatIsNoVerdictChangesNothing) {
  make("hunter22");
  const std::string passing = R"({"since":"2026-01-01T00:00:00Z","state":"passing"})";
  says(passing);
  tick();
  ASSERT_EQ(row("fuse-a")->health_json, passing);
  for (const std::string text : {"", "[]", R"({"state":"wonderful","since":"2026-01-01T00:00:00Z"})"}) {
    says(text);
    tick();
    EXPECT_EQ(row("fuse-a")->health_json, passing) << text;
  }
  EXPECT_EQ(times_of("health"), 1);
}

}  // namespace
}  // namespace fusebox::fleet
