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
  std::vector<base::Result<host::ExecResult>> results;  // of scripts and steps to come
};

TEST_F(Script, WhatItSaidIsKept) {
  ends(0, "out", "err");
  ASSERT_TRUE(create_with(0));
  EXPECT_EQ(kept(), "outerr");
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

}  // namespace
}  // namespace fusebox::fleet
