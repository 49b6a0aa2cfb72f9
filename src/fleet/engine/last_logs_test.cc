// What a provider logged of an environment outlives it.
#include "fleet/engine/engine_test_support.h"
#include "fleet/engine/env_logs.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;

struct LastLogs : EngineTest {
  void log(std::string source, std::string data) {
    host("h1").stub.log("fuse-a", {clock.wall(), std::move(source), std::move(data)});
  }
  std::vector<std::string> kept() {
    std::vector<std::string> texts;
    for (const EnvLogRow& row : env_logs("fuse-a")) texts.push_back(row.source + " " + row.data.substr(0, 8));
    return texts;
  }
  using Texts = std::vector<std::string>;
};

TEST_F(LastLogs, AreReadableAfterTheEnd) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  log("boot", "first");
  log("serial", "second");
  log("boot", "third");
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(kept(), (Texts{"boot first", "serial second", "boot third"}));
}

TEST_F(LastLogs, AreWithoutSecrets) {
  add_host("h1");
  CreateRequest wanted = request("a");
  wanted.secrets.emplace("KEY", "hunter22");
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  log("boot", "hunter22");
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(env_logs("fuse-a").front().data, "[REDACTED]");
}

TEST_F(LastLogs, OfEachSourceTheNewestMegabyteIsKept) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  log("boot", "old");
  log("serial", "old");
  for (int i = 0; i < 4; ++i) log("boot", "new " + std::to_string(i) + std::string((256u << 10) - 5, '.'));
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  Texts texts = kept();
  EXPECT_EQ(texts.size(), 1 + (1u << 20) / kLogRecordBytesMax);
  std::erase(texts, "boot ........");  // a record goes on in the next one
  EXPECT_EQ(texts, (Texts{"serial old", "boot new 0...", "boot new 1...", "boot new 2...", "boot new 3..."}));
}

TEST_F(LastLogs, WithWhatTheStoreHasAlreadyTheyAreNoMore) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  write([&](Tx& tx) -> base::Result<void> {
    tx.append_env_log("fuse-a", "script", clock.wall(), std::string(64u << 10, '-'));
    return {};
  });
  for (int i = 0; i < 16; ++i) log("script", std::string(64u << 10, '+'));
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(kept(), Texts(16, "script ++++++++"));
}

TEST_F(LastLogs, OfASandboxOfThisProcessToo) {
  ASSERT_TRUE(create("a"));
  factory.local_stub().stub.log("fuse-a", {clock.wall(), "boot", "here"});
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(kept(), (Texts{"boot here"}));
}

TEST_F(LastLogs, AHostThatDoesNotGiveThemKeepsNothingAlive) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  log("boot", "first");
  host("h1").faults.plan(Call::logs, {.how = host::ProviderFault::How::fail,
                                      .error = {base::Errc::unavailable, "no answer", {}, {}},
                                      .times = host::kAlways});
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(kept(), Texts{});
}

TEST_F(LastLogs, AreWrittenOnceHoweverOftenTheRemovalIsTried) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  log("boot", "first");
  host("h1").faults.plan(
      Call::destroy,
      {.how = host::ProviderFault::How::fail, .error = {base::Errc::io, "disk is busy", {}, {}}, .times = 2});
  EXPECT_FALSE(await(engine->destroy(executor, {}, "fuse-a")));
  pass(seconds{120});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(kept(), (Texts{"boot first"}));
}

}  // namespace
}  // namespace fusebox::fleet
