#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;
using Reconcile = EngineTest;

host::ProviderFault away() {
  return {.how = How::fail,
          .error = {base::Errc::unavailable, "no route", {}, std::make_shared<host::WireFailure>()},
          .times = host::kAlways};
}

TEST_F(Reconcile, AnUnreachableHostIsUnknownNeverEmpty) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan_all(away());
  pass(seconds{600});
  EXPECT_FALSE(engine->host_reachable("h1"));
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
  host("h1").faults.clear();
  pass(seconds{90});
  EXPECT_TRUE(engine->host_reachable("h1"));
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
}

TEST_F(Reconcile, WhatIsMissingTwiceAndByNameIsDestroyed) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(host("h1").stub.destroy({}, "fuse-a")));
  pass(seconds{40});
  EXPECT_TRUE(row("fuse-a"));  // one list is not enough
  pass(seconds{60});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(wire_states("fuse-a").back(), "destroyed");
}

TEST_F(Reconcile, AListThatLiesDoesNotDestroyALiveEnvironment) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.list = [](std::vector<host::VmRecord>& records) { records.clear(); };
  pass(seconds{300});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
}

TEST_F(Reconcile, AnOrphanIsDestroyedAfterItsGraceAndNotBefore) {
  add_host("h1");
  host::CreateSpec stray;
  stray.name = "fuse-stray";
  ASSERT_TRUE(await(host("h1").stub.create({}, stray)));
  pass(seconds{25});
  EXPECT_TRUE(await(host("h1").stub.get({}, "fuse-stray")));
  pass(seconds{90});
  EXPECT_FALSE(await(host("h1").stub.get({}, "fuse-stray")));
}

TEST_F(Reconcile, AnOrphanOfAnotherFleetIsLeftAlone) {
  add_host("h1");
  host::CreateSpec theirs;
  theirs.name = "fuse-theirs";
  theirs.fleet_id = "another";
  ASSERT_TRUE(await(host("h1").stub.create({}, theirs)));
  pass(seconds{300});
  EXPECT_TRUE(await(host("h1").stub.get({}, "fuse-theirs")));
}

TEST_F(Reconcile, TheRuntimeCeilingTakesTwoStrikes) {
  auto wanted = request("a");
  wanted.spec.max_runtime_seconds = 60;
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  pass(seconds{92});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->stuck_strikes, 1);
  pass(seconds{32});
  EXPECT_FALSE(row("fuse-a"));
  const auto letters = await(
      store->get<std::vector<DeadLetterRow>>(executor, [](Reader& reader) { return reader.dead_letters(0, 10); }));
  ASSERT_TRUE(letters && letters->size() == 1);
  EXPECT_EQ(letters->front().kind, "stuck_task");
}

TEST_F(Reconcile, AnIdleEnvironmentGoesAndOneInUseStays) {
  auto wanted = request("a");
  wanted.spec.idle_timeout_seconds = 60;
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  wanted.task_id = "b";
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  auto lease = await(engine->guest({}, "fuse-b", Engine::GuestUse::work));
  ASSERT_TRUE(lease) << lease.error().message;
  pass(seconds{200});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_TRUE(row("fuse-b"));
  lease->reset();
  pass(seconds{200});
  EXPECT_FALSE(row("fuse-b"));
}

TEST_F(Reconcile, AllocationsThatDriftedAreCorrected) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  HostRow wrong = host_row("h1");
  wrong.cpus_allocated = 50;
  ASSERT_TRUE(await(store->write(executor, [wrong](Tx& tx) -> base::Result<void> {
    tx.set_host_allocated(wrong);
    return {};
  })));
  pass(seconds{35});
  EXPECT_EQ(host_row("h1").cpus_allocated, 1);
}

TEST_F(Reconcile, AHostThatClaimsNegativeCapacityTakesNothing) {
  host("h1").faults.capacity = [](host::Capacity& capacity) {
    capacity.cpus = -4;
    capacity.ram_mb = -1;
  };
  HostRequest liar;
  liar.id = "h1";
  liar.url = "http://h1.test:8090";
  liar.vm_count = 10;
  ASSERT_TRUE(await(engine->register_host(executor, {}, liar)));
  const auto refused = create("a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(api_detail(refused.error()).status, 503);
}

TEST_F(Reconcile, AHostThatHangsHoldsUpNoDeadlineOfAnother) {
  add_host("h1");
  add_host("h2");
  auto wanted = request("a");
  wanted.spec.max_runtime_seconds = 60;
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  wanted.task_id = "b";
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  ASSERT_NE(row("fuse-a")->host_id, row("fuse-b")->host_id);
  host(row("fuse-a")->host_id).faults.plan(Call::destroy, {.how = How::hang});
  pass(seconds{124});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::destroying);
  EXPECT_FALSE(row("fuse-b"));
  pass(seconds{120});
  EXPECT_FALSE(row("fuse-a"));
}

TEST_F(Reconcile, OneRemovalThatHangsHoldsUpNoOtherOfItsHost) {
  add_host("h1");
  for (const char* task : {"a", "b", "c"}) {
    ASSERT_TRUE(create(task));
    host("h1").faults.plan(Call::destroy, {.how = How::fail});
    ASSERT_FALSE(await(engine->destroy(executor, {}, std::string("fuse-") + task)));
  }
  host("h1").faults.plan(Call::destroy, {.how = How::hang});
  const auto left = [this] {
    return std::ranges::count_if(std::array{"fuse-a", "fuse-b", "fuse-c"},
                                 [this](const char* id) { return row(id).has_value(); });
  };
  pass(seconds{35});
  EXPECT_EQ(left(), 1);
  pass(seconds{120});
  EXPECT_EQ(left(), 0);
}

TEST_F(Reconcile, WhatItsHostListsNoMoreNeedsNoDeletion) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(Call::destroy, {.how = How::fail, .times = host::kAlways});
  ASSERT_FALSE(await(engine->destroy(executor, {}, "fuse-a")));
  ASSERT_TRUE(await(host("h1").stub.destroy({}, "fuse-a")));
  pass(seconds{35});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
  EXPECT_EQ(wire_states("fuse-a").back(), "destroyed");
}

TEST_F(Reconcile, AListThatFailsRemovesNothing) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(Call::destroy, {.how = How::fail});
  ASSERT_FALSE(await(engine->destroy(executor, {}, "fuse-a")));
  host("h1").faults.plan(Call::list, {.how = How::fail, .times = 2});
  pass(seconds{62});
  EXPECT_TRUE(row("fuse-a"));
  EXPECT_EQ(host("h1").faults.calls(Call::destroy), 1u);
  pass(seconds{31});
  EXPECT_FALSE(row("fuse-a"));
}

TEST_F(Reconcile, APassThatTakesLongDoesNotOverlapItself) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  write([&](Tx& tx) -> base::Result<void> {
    SnapshotRow snapshot;
    snapshot.snapshot_id = "snap-1";
    snapshot.host_id = "h1";
    snapshot.backend = "firecracker";
    snapshot.state = SnapshotState::deleting;
    snapshot.created_at = clock.wall();
    tx.insert_snapshot(snapshot);
    return {};
  });
  host("h1").faults.plan(Call::delete_snapshot, {.how = How::hang, .times = host::kAlways});
  pass(seconds{65});
  EXPECT_EQ(host("h1").faults.calls(Call::delete_snapshot), 1u);
}

TEST_F(Reconcile, RetentionCatchesUpWithinOneTick) {
  const base::Nanos old = clock.wall() - std::chrono::hours{24 * 31};
  write([&](Tx& tx) -> base::Result<void> {
    for (int i = 0; i < 4500; ++i) tx.add_event(event_of("vm", "of-old", "vm.running", old));
    return {};
  });
  pass(seconds{45});
  const auto left = await(store->get<std::vector<EventRow>>(executor, [](Reader& reader) {
    EventFilter filter;
    filter.entity_id = "of-old";
    return reader.events(filter, 0, 5000);
  }));
  ASSERT_TRUE(left);
  EXPECT_EQ(left->size(), 0u);
}

// A jump counts as time that has passed, but nobody goes by one look at the clock.
TEST_F(Reconcile, AClockThatIsAheadForOneTickEndsNobodyNorLeavesAStrike) {
  auto wanted = request("a");
  wanted.spec.max_runtime_seconds = 7200;
  wanted.spec.idle_timeout_seconds = 3600;
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  pass(seconds{15});  // between two ticks
  const auto jump = [this](std::chrono::hours by) { clock.set_wall(clock.wall() + by); };
  jump(std::chrono::hours{48});
  pass(seconds{30});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->stuck_strikes, 1);
  jump(std::chrono::hours{-48});
  pass(seconds{30});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->stuck_strikes, 0);
  jump(std::chrono::hours{48});
  pass(seconds{30});
  EXPECT_TRUE(row("fuse-a")) << "two in a row, not two in all";
  pass(seconds{30});
  EXPECT_FALSE(row("fuse-a"));
}

TEST_F(Reconcile, TheClockGoingBackJudgesNobody) {
  auto wanted = request("a");
  wanted.spec.max_runtime_seconds = 3600;
  wanted.spec.idle_timeout_seconds = 3600;
  ASSERT_TRUE(await(engine->create(executor, {}, wanted)));
  clock.set_wall(clock.wall() - std::chrono::hours{48});
  pass(seconds{120});
  EXPECT_TRUE(row("fuse-a"));
}

}  // namespace
}  // namespace fusebox::fleet
