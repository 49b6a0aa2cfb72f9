// A restore, and what was known before it.
#include "fleet/engine/reconcile_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

struct SnapshotRestore : TickTest {
  void SetUp() override {
    TickTest::SetUp();
    add_host("h1");
    ASSERT_TRUE(create("a"));
    const auto made = await(engine->snapshot(executor, {}, "fuse-a", {}));
    ASSERT_TRUE(made) << made.error().message;
    const auto document = base::json::parse(made->json);
    id_ = document->root->find("id")->string();
  }
  std::size_t times_told(const std::string& type) {
    EventFilter filter;
    filter.event_type = type;
    const auto events = await(
        store->get<std::vector<EventRow>>(executor, [&](Reader& reader) { return reader.events(filter, 0, 100); }));
    EXPECT_TRUE(events);
    return events->size();
  }

  std::string id_;
};

TEST_F(SnapshotRestore, ASuccessForgetsTheLastFailure) {
  host("h1").faults.plan(Call::restore, {.how = How::fail, .error = {base::Errc::io, "disk", {}, nullptr}});
  EXPECT_FALSE(await(engine->restore(executor, {}, id_)));
  EXPECT_EQ(snapshot_row(id_)->last_error, "disk");
  ASSERT_TRUE(await(engine->restore(executor, {}, id_)));
  EXPECT_EQ(snapshot_row(id_)->last_error, "");
}

TEST_F(SnapshotRestore, IsNoRebootThatTheReconcilerFinds) {
  const std::string before = row("fuse-a")->boot_id;
  ASSERT_FALSE(before.empty());
  ASSERT_TRUE(await(engine->restore(executor, {}, id_)));
  EXPECT_NE(row("fuse-a")->boot_id, before);
  EXPECT_EQ(times_told("vm.rearmed"), 1u);
  begin_ticks();
  tick();
  EXPECT_EQ(times_told("vm.guest_rebooted"), 0u);
  EXPECT_EQ(times_told("vm.rearmed"), 1u);
}

TEST_F(SnapshotRestore, KeepsTheVerdictThatCameMeanwhile) {
  host("h1").faults.plan(Call::restore, {.delay = seconds{5}});
  const auto one = [](EngineTest& test, std::string id) -> base::Task<void> {
    (void)co_await test.engine->restore(test.executor, {}, std::move(id));
  };
  base::spawn(executor, one(*this, id_));
  settle();
  const EnvironmentRow during = *row("fuse-a");
  ASSERT_FALSE(during.op_id.empty());
  write([&during](Tx& tx) -> base::Result<void> {
    tx.set_health(during.vm_id, during.generation, R"({"state":"failing"})", during.view_json);
    return {};
  });
  pass(seconds{6});
  ASSERT_TRUE(row("fuse-a")->op_id.empty());
  EXPECT_NE(row("fuse-a")->view_json.find(R"("health":{"state":"failing"})"), std::string::npos)
      << row("fuse-a")->view_json;
}

TEST_F(SnapshotRestore, ThatADestroyOvertookIsCountedAsFencedAndRunsNoMore) {
  host("h1").faults.plan(Call::restore, {.how = How::hang_late, .error = {base::Errc::io, "late", {}, nullptr}});
  const auto one = [](EngineTest& test, std::string id,
                      std::optional<base::Result<Outcome>>& into) -> base::Task<void> {
    into = co_await test.engine->restore(test.executor, {}, std::move(id));
  };
  std::optional<base::Result<Outcome>> outcome;
  base::spawn(executor, one(*this, id_, outcome));
  settle();
  EXPECT_EQ(meters.running["restore"], 1);
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  host("h1").faults.release();
  settle();
  ASSERT_TRUE(outcome);
  ASSERT_FALSE(*outcome);
  EXPECT_EQ(api_detail(outcome->error()).status, 409);
  EXPECT_EQ(meters.fenced["restore"], 1);
  EXPECT_EQ(meters.running["restore"], 0);
  EXPECT_EQ(meters.running["destroy"], 0);
  EXPECT_EQ(meters.ended["destroy done"], 1);
}

// Of an environment that is gone: nothing is left to be done, and nothing counts as running.
TEST_F(SnapshotRestore, AnOperationThatIsTakenOverAndClosedRunsNoMore) {
  stop();
  OperationRow left;
  left.op_id = "op_left";
  left.kind = "restore";
  left.vm_id = "fuse-gone";
  left.owner = "test";
  left.lease_until = clock.wall();
  left.created_at = left.updated_at = clock.wall();
  write([&left](Tx& tx) -> base::Result<void> {
    tx.insert_operation(left);
    return {};
  });
  start();
  settle();
  EXPECT_EQ(meters.ended["restore cancelled"], 1);
  EXPECT_EQ(meters.running["restore"], 0);
}

}  // namespace
}  // namespace fusebox::fleet
