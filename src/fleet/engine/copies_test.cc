// Environments made from others, and what stays of that.
#include <algorithm>

#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

std::string field(const std::string& json, std::string_view key) {
  const auto document = base::json::parse(json);
  const auto* found = document ? document->root->find(key) : nullptr;
  return found != nullptr && found->is_string() ? found->string() : std::string();
}
int status_of(const base::Result<Outcome>& outcome) {
  return outcome ? outcome->status : api_detail(outcome.error()).status;
}

struct Copies : EngineTest {
  std::vector<SnapshotRow> snapshots() {
    auto rows = await(
        store->get<std::vector<SnapshotRow>>(executor, [](Reader& reader) { return reader.snapshots({}, {}, 100); }));
    EXPECT_TRUE(rows);
    return *rows;
  }
  std::vector<SnapshotRow> lineages() {
    auto rows = snapshots();
    std::erase_if(rows, [](const SnapshotRow& row) { return !row.snapshot_id.starts_with("fork-seed-"); });
    return rows;
  }
  std::string snapshot(const std::string& vm_id) {
    const auto made = await(engine->snapshot(executor, {}, vm_id, {}));
    EXPECT_TRUE(made) << made.error().message;
    return made ? field(made->json, "id") : std::string();
  }
  EnvironmentSpec spec_of(const std::string& vm_id) { return *read_spec(row(vm_id)->spec_json); }
  void remove(const std::string& vm_id) { ASSERT_TRUE(await(engine->destroy(executor, {}, vm_id))); }
  // Answers come in as the calls end.
  void begin(base::Task<base::Result<Outcome>> call, std::vector<base::Result<Outcome>>& into) {
    const auto one = [](base::Task<base::Result<Outcome>> inner,
                        std::vector<base::Result<Outcome>>& out) -> base::Task<void> {
      out.push_back(co_await std::move(inner));
    };
    base::spawn(executor, one(std::move(call), into));
  }
  static RequestInfo keyed(std::string route) {
    RequestInfo info;
    info.route = std::move(route);
    info.idempotency_key = "k";
    info.body_hash = {std::byte{1}};
    return info;
  }
};

TEST_F(Copies, AForkOfASnapshotWhoseEnvironmentIsGoneNeedsNothingOfIt) {
  ASSERT_TRUE(create("a"));
  const std::string seed = snapshot("fuse-a");
  remove("fuse-a");
  const auto forked = await(engine->fork_snapshot(executor, {}, seed, {}));
  ASSERT_TRUE(forked) << forked.error().message;
  EXPECT_EQ(forked->status, 201);
  const auto child = row(field(forked->json, "id"));
  ASSERT_TRUE(child);
  EXPECT_EQ(child->source_snapshot_id, seed);
  EXPECT_EQ(child->source_vm_id, "fuse-a");
}

TEST_F(Copies, AnEnvironmentThatHasTheNameSinceIsNotWhatASnapshotWasMadeOf) {
  CreateRequest first = request("a");
  first.spec.ram_mb = 1024;
  ASSERT_TRUE(await(engine->create(executor, {}, first)));
  const std::string seed = snapshot("fuse-a");
  remove("fuse-a");
  executor.run_for(seconds{1});
  CreateRequest second = request("a");
  second.spec.ram_mb = 4096;
  ASSERT_TRUE(await(engine->create(executor, {}, second)));
  const auto forked = await(engine->fork_snapshot(executor, {}, seed, {}));
  ASSERT_TRUE(forked) << forked.error().message;
  EXPECT_EQ(row(field(forked->json, "id"))->ram_mb, 512);
}

TEST_F(Copies, WhatAForkOfASnapshotAsksForWinsOverItsSource) {
  add_host("h1");
  add_host("h2");
  CreateRequest source = request("a");
  source.spec.host_id = "h1";
  source.spec.cpus = 2;
  source.spec.ram_mb = 1024;
  source.spec.idle_timeout_seconds = 600;
  ASSERT_TRUE(await(engine->create(executor, {}, source)));
  ForkSnapshotRequest wanted;
  wanted.task_id = "b";
  wanted.spec.emplace();
  wanted.spec->cpus = 4;
  wanted.spec->host_id = "h1";
  const std::string seed = snapshot("fuse-a");
  const auto forked = await(engine->fork_snapshot(executor, {}, seed, wanted));
  ASSERT_TRUE(forked) << forked.error().message;
  const EnvironmentSpec made = spec_of("fuse-b");
  EXPECT_EQ(made.cpus, 4);
  EXPECT_EQ(made.ram_mb, 1024);
  EXPECT_EQ(made.idle_timeout_seconds, 600);
  EXPECT_EQ(made.host_id, "h1");
  EXPECT_EQ(row("fuse-b")->cpus, 4);

  wanted.task_id = "c";
  wanted.spec->host_id.clear();
  wanted.spec->labels = {{"disk", "fast"}};
  const auto refused = await(engine->fork_snapshot(executor, {}, seed, wanted));
  EXPECT_EQ(status_of(refused), 503);
  EXPECT_NE(refused.error().message.find("disk=fast"), std::string::npos) << refused.error().message;

  wanted.spec->labels.clear();
  wanted.spec->host_id = "nobody";
  EXPECT_EQ(status_of(await(engine->fork_snapshot(executor, {}, seed, wanted))), 404);
}

TEST_F(Copies, AForkOfASnapshotHasALineageWithItsComment) {
  ASSERT_TRUE(create("a"));
  const std::string seed = snapshot("fuse-a");
  ForkSnapshotRequest wanted;
  wanted.task_id = "b";
  wanted.comment = "for trials";
  ASSERT_TRUE(await(engine->fork_snapshot(executor, {}, seed, wanted)));
  ASSERT_EQ(lineages().size(), 1u);
  const SnapshotRow lineage = lineages().front();
  EXPECT_EQ(lineage.vm_id, "fuse-b");
  EXPECT_EQ(lineage.parent_snapshot_id, seed);
  EXPECT_EQ(field(lineage.metadata_json, "comment"), "for trials");
}

TEST_F(Copies, ALineageGoesWithItsChildAndNobodyElse) {
  for (const bool at_once : {false, true}) {
    SCOPED_TRACE(at_once);
    factory.local_stub().faults.at_once = at_once;
    ASSERT_TRUE(create("a"));
    ForkRequest first;
    first.task_id = "b";
    ForkRequest second;
    second.task_id = "c";
    ASSERT_TRUE(await(engine->fork(executor, {}, "fuse-a", first)));
    ASSERT_TRUE(await(engine->fork(executor, {}, "fuse-a", second)));
    EXPECT_EQ(lineages().size(), 2u);
    remove("fuse-b");
    ASSERT_EQ(lineages().size(), 1u);
    EXPECT_EQ(lineages().front().vm_id, "fuse-c");
    remove("fuse-a");
    EXPECT_EQ(lineages().size(), 1u);
    remove("fuse-c");
    EXPECT_EQ(lineages().size(), 0u);
    const std::size_t seeds = at_once ? 4 : 2;
    EXPECT_EQ(snapshots().size(), seeds);  // what they grew from is a snapshot as any other
  }
}

TEST_F(Copies, ALineageIsNoneOfATenantsSnapshots) {
  options.snapshot_max_count = 2;
  stop();
  start();
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(engine->fork(executor, {}, "fuse-a", {})));  // one snapshot, one lineage
  ASSERT_TRUE(await(engine->snapshot(executor, {}, "fuse-a", {})));
  EXPECT_EQ(status_of(await(engine->snapshot(executor, {}, "fuse-a", {}))), 409);
}

TEST_F(Copies, ASeedThatItsHostDoesNotHaveIsNotFound) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  ForkRequest wanted;
  wanted.reuse_snapshot_id = snapshot("fuse-a");
  ASSERT_TRUE(await(host("h1").stub.delete_snapshot({}, {}, wanted.reuse_snapshot_id)));
  const auto refused = await(engine->fork(executor, {}, "fuse-a", wanted));
  EXPECT_EQ(status_of(refused), 404);
  EXPECT_EQ(refused.error().message, "snapshot not found: " + wanted.reuse_snapshot_id + " is not on its host");
}

TEST_F(Copies, AForkThatIsRepeatedWhileItsSnapshotIsMadeIsTheSameFork) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(Call::snapshot, {.delay = seconds{20}});
  const RequestInfo info = keyed("POST /v1/environments/fuse-a?action=fork");
  std::vector<base::Result<Outcome>> outcomes;
  begin(engine->fork(executor, info, "fuse-a", {}), outcomes);
  settle();
  begin(engine->fork(executor, info, "fuse-a", {}), outcomes);
  pass(seconds{21});
  ASSERT_EQ(outcomes.size(), 2u);
  for (const auto& one : outcomes) ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(field(outcomes[0]->json, "id"), field(outcomes[1]->json, "id"));
  EXPECT_NE(outcomes[0]->replayed, outcomes[1]->replayed);
  EXPECT_EQ(host("h1").faults.calls(Call::snapshot), 1u);
  EXPECT_EQ(lineages().size(), 1u);
}

TEST_F(Copies, OfTwoEqualCallsUnderOneKeyBothGetTheOneOutcome) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  std::vector<base::Result<Outcome>> made;
  const RequestInfo snapshot_info = keyed("POST /v1/environments/fuse-a/snapshots");
  for (int i = 0; i < 2; ++i) begin(engine->snapshot(executor, snapshot_info, "fuse-a", {}), made);
  pass(seconds{1});
  ASSERT_EQ(made.size(), 2u);
  for (const auto& one : made) ASSERT_TRUE(one) << one.error().message;
  const std::string id = field(made[0]->json, "id");
  EXPECT_EQ(field(made[1]->json, "id"), id);
  EXPECT_EQ(snapshots().size(), 1u);

  std::vector<base::Result<Outcome>> restored;
  const RequestInfo restore_info = keyed("POST /v1/snapshots/" + id + "?action=restore");
  for (int i = 0; i < 2; ++i) begin(engine->restore(executor, restore_info, id), restored);
  pass(seconds{1});
  ASSERT_EQ(restored.size(), 2u);
  for (const auto& one : restored) ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(host("h1").faults.calls(Call::restore), 1u);

  HostRequest host;
  host.id = "h2";
  host.url = "http://h2.test:8090";
  host.backend = "firecracker";
  host.vm_count = 1;
  std::vector<base::Result<Outcome>> registered;
  for (int i = 0; i < 2; ++i) begin(engine->register_host(executor, keyed("POST /v1/hosts"), host), registered);
  pass(seconds{1});
  ASSERT_EQ(registered.size(), 2u);
  for (const auto& one : registered) ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(registered[0]->json, registered[1]->json);
}

TEST_F(Copies, WithoutAKeyTheSecondOfTwoEqualCallsIsRefused) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  std::vector<base::Result<Outcome>> made;
  for (int i = 0; i < 2; ++i) begin(engine->snapshot(executor, {}, "fuse-a", {}), made);
  pass(seconds{1});
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(status_of(made[0]) + status_of(made[1]), 201 + 409);
}

// The stubs' snapshots of equal files have equal digests: h2 holds the seed of what is on h1.
struct Moves : Copies {
  void SetUp() override {
    Copies::SetUp();
    add_host("h1");
    ASSERT_TRUE(create("a"));
    add_host("h2");
    CreateRequest other = request("b");
    other.spec.host_id = "h2";
    ASSERT_TRUE(await(engine->create(executor, {}, other)));
    held_ = snapshot("fuse-b");
  }
  void change_held(const std::function<void(SnapshotRow&)>& how) {
    SnapshotRow held = *snapshot_row(held_);
    how(held);
    write([&held](Tx& tx) -> base::Result<void> {
      tx.update_snapshot(held, SnapshotState::ready);
      return {};
    });
  }
  std::vector<std::string> ids() {
    std::vector<std::string> all;
    for (const SnapshotRow& one : snapshots()) all.push_back(one.snapshot_id);
    return all;
  }

  std::string held_;
};

TEST_F(Moves, AMoveLeavesNothingOfWhatItWasMadeThrough) {
  const auto moved = await(engine->migrate(executor, {}, "fuse-a", {}));
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(row(field(moved->json, "id"))->host_id, "h2");
  pass(seconds{1});
  EXPECT_EQ(ids(), std::vector<std::string>{held_});  // which is somebody else's
  EXPECT_TRUE(await(host("h1").stub.all_snapshots({}))->empty());
}

TEST_F(Moves, TheCopyThatAMovePulledGoesToo) {
  change_held([](SnapshotRow& held) {
    held.vm_id.clear();
    held.mode = "build";
    held.created_at += hours{1};  // as if the move had made it
  });
  ASSERT_TRUE(await(engine->migrate(executor, {}, "fuse-a", {})));
  pass(seconds{1});
  EXPECT_EQ(ids(), std::vector<std::string>{});
}

TEST_F(Moves, ALayerThatServedAMoveStays) {
  change_held([](SnapshotRow& held) {
    held.vm_id.clear();
    held.mode = "build";
    held.layer_key = "l";
    held.created_at += hours{1};
  });
  ASSERT_TRUE(await(engine->migrate(executor, {}, "fuse-a", {})));
  pass(seconds{1});
  EXPECT_EQ(ids(), std::vector<std::string>{held_});
}

TEST_F(Moves, AMoveThatNobodyCanTakeSaysWhyAndLeavesNothing) {
  ASSERT_TRUE(await(engine->cordon(executor, {}, "h2", true)));
  MigrateRequest pinned;
  pinned.target_host_id = "h2";
  const auto refused = await(engine->migrate(executor, {}, "fuse-a", pinned));
  EXPECT_EQ(status_of(refused), 503);
  EXPECT_NE(refused.error().message.find("pinned host cannot take this environment: host \"h2\" is cordoned"),
            std::string::npos)
      << refused.error().message;
  const auto anywhere = await(engine->migrate(executor, {}, "fuse-a", {}));
  EXPECT_EQ(status_of(anywhere), 503);
  EXPECT_EQ(anywhere.error().message, "no host but \"h1\" can take this environment");
  ASSERT_TRUE(await(engine->cordon(executor, {}, "h1", true)));
  const auto nowhere = await(engine->migrate(executor, {}, "fuse-a", {}));
  EXPECT_EQ(status_of(nowhere), 503);
  EXPECT_NE(nowhere.error().message.find("no host can take an environment seeded from this artifact"),
            std::string::npos)
      << nowhere.error().message;
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
  EXPECT_EQ(ids(), std::vector<std::string>{held_});
}

TEST_F(Moves, ACreateFromASeedThatWasFoundElsewhereGoesOnFromThereAfterACrash) {
  CreateRequest wanted = request("c");
  wanted.seed_snapshot_id = snapshot("fuse-a");
  wanted.spec.host_id = "h2";
  host("h2").faults.plan(Call::create, {.how = How::hang, .error = {base::Errc::unavailable, "gone", {}, nullptr}});
  RequestInfo info;
  info.respond_async = true;
  ASSERT_TRUE(await(engine->create(executor, info, wanted)));
  settle();
  ASSERT_EQ(row("fuse-c")->state, EnvironmentState::provisioning);
  while_closing = [this] { host("h2").faults.release(); };
  stop();
  while_closing = {};
  start();
  pass(seconds{5});
  ASSERT_TRUE(row("fuse-c"));
  EXPECT_EQ(row("fuse-c")->state, EnvironmentState::running);
}

TEST_F(Moves, ASeedWithoutADigestIsNotTakenForAnotherOne) {
  change_held([](SnapshotRow& held) { held.digest.clear(); });
  CreateRequest wanted = request("c");
  wanted.seed_snapshot_id = snapshot("fuse-a");
  SnapshotRow seed = *snapshot_row(wanted.seed_snapshot_id);
  seed.digest.clear();
  write([&seed](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(seed, SnapshotState::ready);
    return {};
  });
  wanted.spec.host_id = "h2";
  const auto refused = await(engine->create(executor, {}, wanted));
  EXPECT_EQ(status_of(refused), 500);
  EXPECT_NE(refused.error().message.find("has no digest"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace fusebox::fleet
