#include "fleet/engine/reconcile_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Call = host::ProviderCall;
using Ids = std::set<std::string>;

class Artifacts : public TickTest {
 protected:
  void SetUp() override {
    TickTest::SetUp();
    add_host("h1");
  }
  // A build layer on h1 that was last used so long ago.
  SnapshotRow layer(const std::string& id, base::Nanos idle, const std::string& tenant = "t") {
    SnapshotRow row;
    row.snapshot_id = id;
    row.tenant_id = tenant;
    row.host_id = "h1";
    row.mode = "build";
    row.backend = "firecracker";
    row.arch = "amd64";
    row.layer_key = "key of " + id;
    row.digest = "digest of " + id;
    row.state = SnapshotState::ready;
    row.created_at = row.updated_at = row.last_used_at = std::chrono::floor<microseconds>(clock.wall()) - idle;
    return row;
  }
  void insert(const std::vector<SnapshotRow>& rows) {
    write([&rows](Tx& tx) -> base::Result<void> {
      for (const SnapshotRow& row : rows) tx.insert_snapshot(row);
      return {};
    });
  }
  Ids there() {
    const auto rows = await(
        store->get<std::vector<SnapshotRow>>(executor, [](Reader& reader) { return reader.snapshots({}, {}, 100); }));
    EXPECT_TRUE(rows);
    Ids ids;
    for (const SnapshotRow& row : *rows) ids.insert(row.snapshot_id);
    return ids;
  }
  void leak(const std::string& host_id, const std::string& snapshot_id, std::int64_t bytes = 1) {
    write([&](Tx& tx) -> base::Result<void> {
      tx.put_leaked_artifact({.host_id = host_id,
                              .snapshot_id = snapshot_id,
                              .digest = "d",
                              .last_error = "e",
                              .size_bytes = bytes,
                              .first_seen_at = clock.wall(),
                              .last_try_at = clock.wall()});
      return {};
    });
  }
  Ids leaked() {
    const auto rows = await(store->get<std::vector<LeakedArtifactRow>>(
        executor, [](Reader& reader) { return reader.leaked_artifacts(100); }));
    EXPECT_TRUE(rows);
    Ids ids;
    for (const LeakedArtifactRow& row : *rows) ids.insert(row.snapshot_id);
    return ids;
  }
};

TEST_F(Artifacts, LayersWithoutABoundStay) {
  begin_ticks();
  insert({layer("a", hours{1000}), layer("b", hours{2000})});
  tick();
  EXPECT_EQ(there(), (Ids{"a", "b"}));
}

TEST_F(Artifacts, AboveATenantsNumberTheLeastRecentlyUsedGo) {
  options.artifact_max_per_tenant = 2;
  begin_ticks();
  insert({layer("a", minutes{30}), layer("b", minutes{50}), layer("c", minutes{20}), layer("d", minutes{40}),
          layer("others-1", minutes{60}, "u"), layer("others-2", minutes{70}, "u")});
  tick();
  EXPECT_EQ(there(), (Ids{"a", "c", "others-1", "others-2"}));
}

TEST_F(Artifacts, AtATenantsNumberAllStay) {
  options.artifact_max_per_tenant = 2;
  begin_ticks();
  insert({layer("a", minutes{30}), layer("b", minutes{50})});
  tick();
  EXPECT_EQ(there(), (Ids{"a", "b"}));
}

TEST_F(Artifacts, OneUsedWithinTenMinutesStaysAboveTheNumber) {
  options.artifact_max_per_tenant = 1;
  begin_ticks();
  insert({layer("within", minutes{1}), layer("just", minutes{10} - microseconds{1}), layer("past", minutes{10})});
  tick();
  EXPECT_EQ(there(), (Ids{"within", "just"}));
}

TEST_F(Artifacts, IdleOnesGoWhenTheirTimeIsOver) {
  options.artifact_idle_ttl = hours{1};
  begin_ticks();
  insert({layer("at", hours{1}), layer("beyond", hours{1} + microseconds{1})});
  tick();
  EXPECT_EQ(there(), Ids{"at"});
  executor.run_for(microseconds{1});
  tick();
  EXPECT_EQ(there(), Ids{});
}

TEST_F(Artifacts, AShortIdleTimeDoesNotBeatTheTenMinutes) {
  options.artifact_idle_ttl = minutes{1};
  begin_ticks();
  insert({layer("just", minutes{10} - microseconds{1}), layer("past", minutes{10})});
  tick();
  EXPECT_EQ(there(), Ids{"just"});
}

TEST_F(Artifacts, WhatIsNoLayerIsNotCollectedAsOne) {
  options.artifact_idle_ttl = hours{1};
  options.artifact_max_per_tenant = 1;
  begin_ticks();
  SnapshotRow manual = layer("manual", hours{9});
  manual.mode = "manual";
  SnapshotRow keyless = layer("keyless", hours{9});
  keyless.layer_key.clear();
  SnapshotRow failed = layer("failed", hours{9});
  failed.state = SnapshotState::error;
  insert({manual, keyless, failed});
  tick();
  EXPECT_EQ(there(), (Ids{"manual", "keyless", "failed"}));
}

TEST_F(Artifacts, AParentStaysAsLongAsItsChild) {
  options.artifact_idle_ttl = hours{1};
  begin_ticks();
  SnapshotRow child = layer("child", hours{9});
  child.mode = "manual";
  child.parent_snapshot_id = "parent";
  SnapshotRow lineage = layer("fork-seed-1", hours{9});
  lineage.mode = "auto";
  lineage.parent_snapshot_id = "forked";
  insert({layer("parent", hours{9}), child, layer("forked", hours{9}), lineage});
  tick();
  EXPECT_EQ(there(), (Ids{"parent", "child", "fork-seed-1"}));  // a lineage row holds nothing back
  write([](Tx& tx) -> base::Result<void> {
    tx.delete_snapshot("child");
    return {};
  });
  tick();
  EXPECT_EQ(there(), Ids{"fork-seed-1"});
}

TEST_F(Artifacts, TheSeedOfALiveEnvironmentStaysAndSoDoItsCopies) {
  options.artifact_idle_ttl = hours{1};
  add_host("h2");
  begin_ticks();
  SnapshotRow copy = layer("copy", hours{9});
  copy.host_id = "h2";
  copy.digest = "digest of seed";
  insert({layer("seed", hours{9}), copy, layer("other", hours{9})});
  EnvironmentRow made;
  made.vm_id = made.host_vm_name = "fuse-a";
  made.task_id = "a";
  made.host_id = "h2";
  made.backend = "firecracker";
  made.source_snapshot_id = "seed";
  write([&made](Tx& tx) -> base::Result<void> {
    tx.insert_environment(made);
    return {};
  });
  tick();
  EXPECT_EQ(there(), (Ids{"seed", "copy"}));
  write([&made](Tx& tx) -> base::Result<void> {
    tx.delete_environment(made.vm_id, made.generation);
    return {};
  });
  tick();
  EXPECT_EQ(there(), Ids{});
}

TEST_F(Artifacts, OneThatIsUsedWhileOthersGoStays) {
  options.artifact_idle_ttl = hours{1};
  begin_ticks();
  constexpr std::uint64_t kAtOnce = 8;
  for (std::uint64_t i = 0; i < kAtOnce; ++i) insert({layer("first-" + std::to_string(i), hours{2})});
  insert({layer("second", hours{3})});
  host("h1").faults.plan(Call::delete_snapshot, {.delay = seconds{1}, .times = kAtOnce});
  tick([this] {
    EXPECT_EQ(snapshot_row("first-7")->state, SnapshotState::deleting);
    write([this](Tx& tx) -> base::Result<void> {
      tx.touch_snapshot("second", std::chrono::floor<microseconds>(clock.wall()));
      return {};
    });
    executor.run_for(seconds{1});
  });
  EXPECT_EQ(there(), Ids{"second"});
  EXPECT_EQ(snapshot_row("second")->state, SnapshotState::ready);
}

TEST_F(Artifacts, OnAnUnreachableHostTheyWait) {
  options.artifact_idle_ttl = hours{1};
  begin_ticks();
  insert({layer("a", hours{9})});
  leak("h1", "b");
  const auto h1 = core->hosts.find("h1");
  for (int i = 0; i < 3; ++i) core->hosts.refused(*h1, core->wall());
  host("h1").faults.plan_all({.how = host::ProviderFault::How::fail, .times = host::kAlways});
  tick();
  EXPECT_EQ(there(), Ids{"a"});
  EXPECT_EQ(leaked(), Ids{"b"});
  EXPECT_EQ(host("h1").faults.calls(Call::delete_snapshot), 0u);
  host("h1").faults.clear();
  core->hosts.contact(*h1, core->now(), core->wall());
  tick();
  EXPECT_EQ(there(), Ids{});
  EXPECT_EQ(leaked(), Ids{});
}

TEST_F(Artifacts, LeakedBytesAreDeletedOnceTheirHostCan) {
  host("h1").faults.capacity = [](host::Capacity& capacity) { std::erase(capacity.features, "store-delete"); };
  add_host("h1");
  begin_ticks();
  leak("h1", "a", 5);
  leak("h1", "b", 6);
  leak("nobody", "c", 7);
  tick();
  EXPECT_EQ(leaked(), (Ids{"a", "b", "c"}));
  EXPECT_EQ(host("h1").faults.calls(Call::delete_snapshot), 0u);
  EXPECT_EQ(meters.kept["h1"], (RecordingMeters::Kept{0, 0, 11}));
  EXPECT_FALSE(meters.kept.contains("nobody"));
  core->hosts.find("h1")->features.insert("store-delete");
  tick();
  EXPECT_EQ(leaked(), Ids{"c"});  // of a host nobody knows: kept, in case it comes back
  tick();
  EXPECT_EQ(meters.kept["h1"], (RecordingMeters::Kept{0, 0, 0}));
}

TEST_F(Artifacts, AFailedDeletionIsTriedAgainAtTheNextTickAndHoldsUpNoOtherHost) {
  add_host("h2");
  begin_ticks();
  leak("h1", "a");
  leak("h1", "b");
  leak("h2", "c");
  host("h1").faults.plan(Call::delete_snapshot, {.how = host::ProviderFault::How::fail});
  tick();
  EXPECT_EQ(host("h1").faults.calls(Call::delete_snapshot), 1u);
  EXPECT_EQ(leaked(), (Ids{"a", "b"}));
  tick();
  EXPECT_EQ(host("h1").faults.calls(Call::delete_snapshot), 3u);
  EXPECT_EQ(leaked(), Ids{});
}

TEST_F(Artifacts, WhatIsKeptIsShownByHost) {
  add_host("h2");
  begin_ticks();
  SnapshotRow local = layer("local", seconds{0});
  local.host_id.clear();
  local.size_bytes = 3;
  SnapshotRow big = layer("big", seconds{0});
  big.size_bytes = 100;
  SnapshotRow lost = layer("lost", seconds{0});
  lost.host_id = "removed";
  insert({local, big, lost});
  leak("h1", "a", 7);
  core->hosts.find("h1")->features.erase("store-delete");
  tick();
  EXPECT_EQ(meters.kept,
            (std::map<std::string, RecordingMeters::Kept>{{"", {1, 3, 0}}, {"h1", {1, 100, 7}}, {"h2", {0, 0, 0}}}));
}

}  // namespace
}  // namespace fusebox::fleet
