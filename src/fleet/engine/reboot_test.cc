// Guests whose boot id has changed: asked whether they have lost anything, and armed again when they have.
#include "fleet/engine/reconcile_test_support.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

struct Reboot : TickTest {
  void SetUp() override {
    EngineTest::SetUp();
    add_host("h1");
    host("h1").faults.exec = [this](const std::string&, const host::ProcessSpec& spec) {
      const bool question = spec.argv.front() == "test";
      asked += question ? 1 : 0;
      const int exit_code = question && !has_files ? 1 : 0;
      return base::Result<host::ExecResult>(host::ExecResult{{exit_code, "", false}, "", "", false, false});
    };
    ASSERT_TRUE(create("a"));
    begin_ticks();
    host("h1").faults.list = [](std::vector<host::VmRecord>& records) {
      for (host::VmRecord& record : records) record.boot_id = "another";
    };
  }
  std::ptrdiff_t told(std::string_view type) {
    return std::ranges::count(audit_of("fuse-a"), type, &EventRow::event_type);
  }
  bool has_files = false;
  int asked = 0;
};

TEST_F(Reboot, AGuestWithoutItsFilesIsArmedAgainOnce) {
  tick();
  EXPECT_EQ(row("fuse-a")->boot_id, "another");
  tick();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(told("vm.rearmed"), 1);
  EXPECT_EQ(told("vm.guest_rebooted"), 1);
}

TEST_F(Reboot, AGuestThatHasItsFilesIsLeftAlone) {
  has_files = true;
  tick();
  tick();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(row("fuse-a")->boot_id, "another");
  EXPECT_EQ(told("vm.rearmed"), 0);
  EXPECT_EQ(told("vm.guest_rebooted"), 0);
}

TEST_F(Reboot, AGuestThatDoesNotSayIsAskedAgain) {
  const std::string before = row("fuse-a")->boot_id;
  host("h1").faults.plan(Call::exec, {.how = How::fail, .error = {base::Errc::unavailable, "no answer", {}, nullptr}});
  tick();
  EXPECT_EQ(row("fuse-a")->boot_id, before);
  EXPECT_EQ(told("vm.rearmed"), 0);
  tick();
  EXPECT_EQ(told("vm.rearmed"), 1);
}

TEST_F(Reboot, AVerdictThatComesWhileItIsArmedIsKept) {
  const std::string verdict = R"({"since":"2026-01-01T00:00:00Z","state":"passing"})";
  host("h1").faults.plan(Call::start_agent, {.delay = seconds{1}});
  tick([&] {
    EnvironmentRow now = *row("fuse-a");
    now.health_json = verdict;
    refresh_view(now);
    write([&](Tx& tx) -> base::Result<void> {
      tx.set_health("fuse-a", now.generation, now.health_json, now.view_json);
      return {};
    });
    pass(seconds{1});
  });
  EXPECT_EQ(row("fuse-a")->boot_id, "another");
  EXPECT_NE(row("fuse-a")->view_json.find(verdict), std::string::npos);
}

}  // namespace
}  // namespace fusebox::fleet
