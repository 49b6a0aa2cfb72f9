// Startup scripts: what they say, how they end, what of it is kept and told.
#include "fleet/engine/engine_test_support.h"
#include "fleet/engine/env_logs.h"

namespace fusebox::fleet {
namespace {

struct Script : EngineTest {
  void SetUp() override {
    EngineTest::SetUp();
    add_host("h1");
    host("h1").faults.exec = [this](const std::string&, const host::ProcessSpec& spec) {
      const bool script = spec.argv.size() == 3 && spec.argv[1] == "-lc";
      if (!script) return base::Result<host::ExecResult>(host::ExecResult{{0, "", false}, "", "", false, false});
      if (results.empty()) return base::Result<host::ExecResult>(base::fail(base::Errc::io, "not planned"));
      base::Result<host::ExecResult> result = results.front();
      results.erase(results.begin());
      return result;
    };
  }
  void ends(int exit_code, std::string out, std::string err = {}) {
    results.emplace_back(host::ExecResult{{exit_code, "", false}, std::move(out), std::move(err), false, false});
  }
  base::Result<Outcome> create_with(std::size_t step_count, std::string secret = {}) {
    CreateRequest wanted = request("a");
    if (!secret.empty()) wanted.secrets.emplace("KEY", std::move(secret));
    if (step_count == 0) wanted.startup_script = "run";
    for (std::size_t i = 0; i < step_count; ++i) {
      wanted.startup_steps.emplace_back().run = "run";
    }
    return await(engine->create(executor, {}, wanted));
  }
  std::string kept() {
    std::string all;
    for (const EnvLogRow& row : env_logs("fuse-a")) {
      EXPECT_EQ(row.source, "script");
      EXPECT_LE(row.data.size(), kLogRecordBytesMax);
      all += row.data;
    }
    return all;
  }
  std::vector<std::int64_t> exit_codes() {
    std::vector<std::int64_t> codes;
    for (const EnvEventRow& event : env_events("fuse-a")) {
      if (event.kind != "step") continue;
      const auto document = base::json::parse(event.payload_json);
      codes.push_back(document->root->find("exit_code")->as_i64().value_or(-99));
    }
    return codes;
  }
  std::vector<base::Result<host::ExecResult>> results;  // of scripts and steps to come
};

TEST_F(Script, WhatItSaidIsKept) {
  ends(0, "out", "err");
  ASSERT_TRUE(create_with(0));
  EXPECT_EQ(kept(), "outerr");
}

TEST_F(Script, WhoFollowsTheEnvironmentHearsWhatItSays) {
  ends(0, std::string(kLogToldBytesMax, 'x') + "end", "err");
  ASSERT_TRUE(create_with(0));
  std::vector<std::string> told;
  for (const EnvEventRow& event : env_events("fuse-a"))
    if (event.kind == "log") told.push_back(event.payload_json);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_TRUE(told[0].starts_with(R"({"event":"log","vm_id":"fuse-a","payload":{"at":")")) << told[0];
  EXPECT_TRUE(told[0].ends_with(R"(xend","truncated":true}})")) << told[0].substr(told[0].size() - 40);
  EXPECT_TRUE(told[1].ends_with(R"("source":"script","data":"err"}})")) << told[1];
}

TEST_F(Script, OfWhatManyStepsSaidTheNewestMegabyteIsKept) {
  const std::string much(kLogBytesKept / 2 + 7, 'a');
  ends(0, std::string(3 * kLogBytesKept, 'x'));
  ends(0, much);
  ends(0, std::string(kLogBytesKept / 2, 'b'), "end");
  ASSERT_TRUE(create_with(3));
  const std::string all = kept();
  EXPECT_LE(all.size(), kLogBytesKept);
  EXPECT_GT(all.size(), kLogBytesKept - 2 * kLogRecordBytesMax) << "whole records go";
  EXPECT_TRUE(all.starts_with("a") && all.ends_with("bend"));
}

TEST_F(Script, AStepIsToldWithTheStatusItEndedWith) {
  ends(0, "");
  ends(7, "");
  ASSERT_FALSE(create_with(3));
  EXPECT_EQ(exit_codes(), (std::vector<std::int64_t>{0, 7}));
}

TEST_F(Script, AStepThatHadNoAnswerInTimeIsToldAsOne) {
  results.emplace_back(base::fail(base::Errc::stopped, "late"));
  ASSERT_FALSE(create_with(1));
  EXPECT_EQ(exit_codes(), (std::vector<std::int64_t>{124}));
}

TEST_F(Script, AStepThatCouldNotRunHasNoStatus) {
  results.emplace_back(base::fail(base::Errc::unavailable, "gone"));
  ASSERT_FALSE(create_with(1));
  EXPECT_EQ(exit_codes(), (std::vector<std::int64_t>{-1}));
}

std::string detail(const base::Error& error, const std::string& key) {
  const ApiErrorDetail all = api_detail(error);
  const auto found = all.details.find(key);
  return found == all.details.end() ? "" : found->second;
}

TEST_F(Script, ATailIsCutAfterItsSecretsAreOut) {
  const std::string secret = "0123456789abcdef";
  ends(3, "x" + secret + std::string(4096 - 8, '.'), secret);
  const auto failed = create_with(0, secret);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "startup script: exec exit 3");
  EXPECT_EQ(detail(failed.error(), "stdout_tail"), "EDACTED]" + std::string(4096 - 8, '.')) << "no end of a secret";
  EXPECT_EQ(detail(failed.error(), "stderr_tail"), "[REDACTED]");
  EXPECT_EQ(kept().find("abcdef"), std::string::npos);
}

TEST_F(Script, NoTextOfAnAgentGivesASecretAway) {
  const std::string secret = "hunter22";
  using Call = host::ProviderCall;
  for (const Call call : {Call::create, Call::upload, Call::exec, Call::start_agent}) {
    SCOPED_TRACE(static_cast<int>(call));
    host("h1").faults.plan(call, {.how = host::ProviderFault::How::fail,
                                  .error = {base::Errc::io, "cannot take hunter22", {}, nullptr},
                                  .times = host::kAlways});
    results.clear();
    ends(0, "");
    RequestInfo info;
    info.route = "POST /v1/environments";
    info.idempotency_key = "k" + std::to_string(static_cast<int>(call));
    CreateRequest wanted = request("a");
    wanted.secrets.emplace("KEY", secret);
    wanted.startup_script = "run";
    const auto failed = await(engine->create(executor, info, wanted));
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find("cannot take [REDACTED]"), std::string::npos) << failed.error().message;
    const auto op = await(store->get<std::optional<OperationRow>>(executor, [&](Reader& reader) {
      return reader.operation_of_key("master POST /v1/environments", info.idempotency_key);
    }));
    ASSERT_TRUE(op && *op);
    EXPECT_EQ((*op)->response_json.find(secret), std::string::npos) << (*op)->response_json;
    EXPECT_EQ((*op)->last_error.find(secret), std::string::npos);
    host("h1").faults.clear();
  }
}

TEST_F(Script, NorDoesOneOfADrainOrOfNewSecrets) {
  const auto cannot = [this](host::ProviderCall call) {
    host("h1").faults.plan(call, {.how = host::ProviderFault::How::fail,
                                  .error = {base::Errc::io, "cannot take hunter22", {}, nullptr},
                                  .times = host::kAlways});
  };
  ends(0, "");
  ASSERT_TRUE(create_with(0, "hunter22"));
  cannot(host::ProviderCall::upload);
  const auto stored = await(engine->put_secrets(executor, {}, "fuse-a", {{"KEY", "hunter22"}}, false));
  ASSERT_FALSE(stored);
  EXPECT_NE(stored.error().message.find("cannot take [REDACTED]"), std::string::npos) << stored.error().message;
  host("h1").faults.clear();
  cannot(host::ProviderCall::exec);
  const auto drained = await(engine->drain(executor, {}, "fuse-a"));
  ASSERT_FALSE(drained);
  EXPECT_NE(drained.error().message.find("cannot take [REDACTED]"), std::string::npos) << drained.error().message;
}

}  // namespace
}  // namespace fusebox::fleet
