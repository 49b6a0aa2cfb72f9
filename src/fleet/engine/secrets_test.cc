// New secrets of a running environment.
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using Call = host::ProviderCall;
using How = host::ProviderFault::How;

struct Secrets : EngineTest {
  void SetUp() override {
    EngineTest::SetUp();
    add_host("h1");
    ASSERT_TRUE(create("a"));
  }
  base::Task<base::Result<void>> put(std::string value) {
    RequestInfo info;
    info.request_id = "req-" + value;
    return engine->put_secrets(executor, std::move(info), "fuse-a", {{"KEY", value}, {"OTHER", "x"}}, false);
  }
  std::string in_guest() {
    auto file = await(host("h1").stub.read_file({}, "fuse-a", "/fuse/secrets.json"));
    EXPECT_TRUE(file) << file.error().message;
    std::string text(256, '\0');
    const auto size = await((*file)->read_some(std::span(text)));
    EXPECT_TRUE(size);
    return text.substr(0, *size);
  }
  std::optional<base::Result<void>> begin(std::string value) {
    auto& result = results.emplace_back();
    const auto one = [](base::Task<base::Result<void>> task,
                        std::optional<base::Result<void>>& into) -> base::Task<void> {
      into = co_await std::move(task);
    };
    base::spawn(executor, one(put(std::move(value)), result));
    settle();
    return result;
  }
  std::deque<std::optional<base::Result<void>>> results;
};

TEST_F(Secrets, AreInTheGuestAndTheirNamesInTheAudit) {
  const auto stored = await(put("one"));
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(in_guest(), R"({"KEY":"one","OTHER":"x"})");
  const EventRow last = audit_of("fuse-a").back();
  EXPECT_EQ(last.event_type, "secrets.deployed");
  EXPECT_EQ(last.payload_json, R"({"names":["KEY","OTHER"],"request_id":"req-one"})");
  EXPECT_TRUE(row("fuse-a")->op_id.empty());
}

TEST_F(Secrets, OfTwoSetsAtATimeTheSecondIsRefused) {
  host("h1").faults.plan(Call::upload, {.how = How::hang, .times = 1});
  ASSERT_FALSE(begin("one"));
  const auto second = begin("two");
  ASSERT_TRUE(second);
  ASSERT_FALSE(*second);
  EXPECT_EQ(api_detail(second->error()).status, 409);
  host("h1").faults.release();
  settle();
  ASSERT_TRUE(results.front());
  EXPECT_TRUE(*results.front());
  EXPECT_EQ(in_guest(), R"({"KEY":"one","OTHER":"x"})");
  EXPECT_TRUE(await(put("two")));
  EXPECT_EQ(in_guest(), R"({"KEY":"two","OTHER":"x"})");
}

TEST_F(Secrets, ThatCouldNotBeDeployedDoNotBlockTheNext) {
  host("h1").faults.plan(
      Call::upload, {.how = How::fail, .error = {base::Errc::io, "disk full", {}, nullptr}, .times = host::kAlways});
  const auto failed = await(put("one"));
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("disk full"), std::string::npos) << failed.error().message;
  host("h1").faults.clear();
  EXPECT_TRUE(await(put("two")));
  EXPECT_EQ(in_guest(), R"({"KEY":"two","OTHER":"x"})");
}

TEST_F(Secrets, ThatACrashLeftBehindAreDeployedAfterIt) {
  host("h1").faults.plan(Call::upload, {.how = How::hang, .times = 8});
  ASSERT_FALSE(begin("one"));
  while_closing = [this] { host("h1").faults.release(); };
  at_step = {};
  stop();
  host("h1").faults.clear();
  start();
  settle();
  EXPECT_EQ(in_guest(), R"({"KEY":"one","OTHER":"x"})");
  EXPECT_TRUE(row("fuse-a")->op_id.empty());
}

}  // namespace
}  // namespace fusebox::fleet
