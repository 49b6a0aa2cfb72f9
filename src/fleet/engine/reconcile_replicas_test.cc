// What replicas on one store see of each other: streams, ends, leadership.
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

// The store as one of several replicas has it.
class SharedStore final : public Store {
 public:
  explicit SharedStore(Store& inner) : inner_(inner) {}
  base::Task<base::Result<void>> write(base::Executor& executor, WriteWork work) override {
    return inner_.write(executor, std::move(work));
  }
  base::Task<base::Result<void>> read(base::Executor& executor, ReadWork work) override {
    return inner_.read(executor, std::move(work));
  }
  void observe(CommitObserver* observer) override { inner_.observe(observer); }
  base::Task<StoreStatus> probe(base::Executor& executor) override { return inner_.probe(executor); }
  std::string_view kind() const noexcept override { return inner_.kind(); }
  bool replicated() const noexcept override { return true; }
  bool is_leader() const noexcept override { return leads; }
  std::string_view leader_word() const noexcept override { return leads ? "self" : "other"; }

  bool leads = false;

 private:
  Store& inner_;
};

// `engine` leads; `standby` does not until a test says so.
struct SharedFleet : EngineTest {
  void SetUp() override {
    EngineTest::SetUp();
    shared.emplace(*store);
    EngineParts own = parts();
    own.options.replica_id = "standby";
    EngineParts replica{executor, *shared, factory, *vault, clock, random, logger, meters, own.options, {}};
    auto made = await(make_engine(std::move(replica), false));
    ASSERT_TRUE(made) << made.error().message;
    standby = std::move(*made);
  }
  void TearDown() override {
    engine.swap(standby);
    stop();
    engine.swap(standby);
    EngineTest::TearDown();
  }
  std::unique_ptr<GuestLease> use(const std::string& vm_id) {
    auto lease = await(standby->guest({}, vm_id, Engine::GuestUse::work));
    EXPECT_TRUE(lease) << lease.error().message;
    return lease ? std::move(*lease) : nullptr;
  }
  // Known to both.
  void add_shared_host(const std::string& id) {
    add_host(id);
    pass(seconds{6});
  }
  base::Result<Outcome> create_idle(const std::string& task, std::int64_t idle_seconds) {
    CreateRequest wanted = request(task);
    wanted.spec.idle_timeout_seconds = idle_seconds;
    return await(engine->create(executor, {}, wanted));
  }

  std::optional<SharedStore> shared;
  std::unique_ptr<Engine> standby;
};

TEST_F(SharedFleet, AnEnvironmentThatAnotherReplicaServesIsInUse) {
  ASSERT_TRUE(create_idle("a", 60));
  ASSERT_TRUE(create_idle("quick", 5));
  auto lease = use("fuse-a");
  auto quick = use("fuse-quick");
  pass(seconds{300});
  ASSERT_TRUE(row("fuse-a"));
  ASSERT_TRUE(row("fuse-quick"));
  EXPECT_EQ(row("fuse-a")->idle_strikes, 0);
  EXPECT_EQ(row("fuse-quick")->idle_strikes, 0);
  lease.reset();
  quick.reset();
  pass(seconds{200});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_FALSE(row("fuse-quick"));
}

TEST_F(SharedFleet, AClockThatJumpsAheadFindsWhatAnotherReplicaServesInUse) {
  ASSERT_TRUE(create_idle("a", 60));
  auto lease = use("fuse-a");
  pass(seconds{15});
  clock.set_wall(clock.wall() + std::chrono::hours{1});  // before the ceiling
  pass(seconds{120});
  EXPECT_TRUE(row("fuse-a"));
}

TEST_F(SharedFleet, ActivityOfManyIsOneWriteAStep) {
  std::vector<std::unique_ptr<GuestLease>> leases;
  for (const char* task : {"a", "b", "c"}) {
    ASSERT_TRUE(create(task));
    auto lease = await(engine->guest({}, std::string("fuse-") + task, Engine::GuestUse::work));
    ASSERT_TRUE(lease);
    leases.push_back(std::move(*lease));
  }
  settle();
  steps.clear();
  pass(seconds{92});
  EXPECT_EQ(times_of("activity"), 3);
  leases.clear();
}

TEST_F(SharedFleet, WhatAnotherReplicaDestroyedEndsItsStreams) {
  add_shared_host("h1");
  ASSERT_TRUE(create("a"));
  const auto lease = use("fuse-a");
  standby->environment_changed("fuse-a");
  pass(seconds{2});
  EXPECT_FALSE(lease->ended().stop_requested()) << "it changed and lives";
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  standby->environment_changed("fuse-a");
  pass(seconds{2});
  EXPECT_TRUE(lease->ended().stop_requested());
}

TEST_F(SharedFleet, AnEnvironmentOfTheSameNameIsNotWhatIsInUse) {
  add_shared_host("h1");
  ASSERT_TRUE(create("a"));
  const auto lease = use("fuse-a");
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  ASSERT_TRUE(create("a"));
  standby->environment_changed("fuse-a");
  pass(seconds{2});
  EXPECT_TRUE(lease->ended().stop_requested());
}

TEST_F(SharedFleet, ASnapshotThatAnotherReplicaMakesIsLeftToIt) {
  add_shared_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(Call::snapshot, {.how = How::hang});
  RequestInfo info;
  info.respond_async = true;
  ASSERT_TRUE(await(standby->snapshot(executor, info, "fuse-a", {})));
  const std::uint64_t asked = host("h1").faults.calls(Call::snapshots);
  pass(minutes{5});
  EXPECT_EQ(host("h1").faults.calls(Call::snapshots), asked);
  host("h1").faults.release();
  settle();
}

TEST_F(SharedFleet, ANewLeaderJudgesNoHostByItsOwnSilenceAsAStandby) {
  add_shared_host("h1");
  pass(seconds{200});
  host("h1").faults.plan(Call::capacity, {.how = How::hang, .times = 2});  // the first polls take their time
  shared->leads = true;
  pass(seconds{5});
  EXPECT_TRUE(standby->host_reachable("h1"));
  EXPECT_EQ(host_row("h1").reach_state, Reachability::reachable);
}

TEST_F(SharedFleet, EachIsInTheListOfReplicas) {
  pass(seconds{11});
  const auto all = [this] {
    const auto rows =
        await(store->get<std::vector<ReplicaRow>>(executor, [](Reader& reader) { return reader.replicas(); }));
    EXPECT_TRUE(rows);
    std::map<std::string, ReplicaRow> by_id;
    for (const ReplicaRow& replica : *rows) by_id[replica.replica_id] = replica;
    return by_id;
  };
  auto replicas = all();
  ASSERT_EQ(replicas.size(), 2u);
  EXPECT_TRUE(replicas["test"].leader);
  EXPECT_FALSE(replicas["standby"].leader);
  const base::Nanos heard = replicas["standby"].heartbeat_at;
  shared->leads = true;
  pass(seconds{10});
  replicas = all();
  EXPECT_TRUE(replicas["standby"].leader);
  EXPECT_GT(replicas["standby"].heartbeat_at, heard);
  EXPECT_LT(replicas["standby"].started_at, heard);
}

}  // namespace
}  // namespace fusebox::fleet
