// Snapshots whose bytes cannot be deleted, or whose host is no more.
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

struct SnapshotDelete : EngineTest {
  std::string snapshot(const std::string& vm_id) {
    const auto made = await(engine->snapshot(executor, {}, vm_id, {}));
    EXPECT_TRUE(made) << made.error().message;
    const auto document = base::json::parse(made->json);
    return document->root->find("id")->string();
  }
  int remove(const std::string& id) {
    const auto gone = await(engine->delete_snapshot(executor, {}, id));
    return gone ? 204 : api_detail(gone.error()).status;
  }
  std::vector<LeakedArtifactRow> leaks() {
    auto rows = await(store->get<std::vector<LeakedArtifactRow>>(
        executor, [](Reader& reader) { return reader.leaked_artifacts(10); }));
    EXPECT_TRUE(rows);
    return *rows;
  }
  static void cannot_delete(host::Capacity& capacity) {
    std::erase_if(capacity.features, [](const std::string& one) { return one.ends_with("-delete"); });
  }
  static host::ProviderFault knows_no_such_route() {
    return {.how = How::fail, .error = {base::Errc::unsupported, "the agent cannot delete snapshots", {}, nullptr}};
  }
};

TEST_F(SnapshotDelete, WhatAnAgentCannotDeleteIsGoneFromTheApiAndKeptAsALeak) {
  host("h1").faults.capacity = cannot_delete;
  add_host("h1");
  ASSERT_TRUE(create("a"));
  const std::string id = snapshot("fuse-a");
  host("h1").faults.plan(Call::delete_snapshot, knows_no_such_route());
  EXPECT_EQ(remove(id), 204);
  EXPECT_FALSE(snapshot_row(id));
  ASSERT_EQ(leaks().size(), 1u);
  EXPECT_EQ(leaks().front().host_id, "h1");
  EXPECT_EQ(leaks().front().snapshot_id, id);
  EXPECT_EQ(meters.snapshot_work["delete"], 1);
}

TEST_F(SnapshotDelete, TheSameOfTheDefaultAgent) {
  stop();
  factory.local_is_agent = true;
  factory.local_stub().faults.capacity = cannot_delete;
  start();
  settle();
  ASSERT_TRUE(create("a"));
  const std::string id = snapshot("fuse-a");
  factory.local_stub().faults.plan(Call::delete_snapshot, knows_no_such_route());
  EXPECT_EQ(remove(id), 204);
  EXPECT_FALSE(snapshot_row(id));
  ASSERT_EQ(leaks().size(), 1u);
  EXPECT_EQ(leaks().front().host_id, "");
}

TEST_F(SnapshotDelete, AnAgentThatSaysItCanIsAskedAgain) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  const std::string id = snapshot("fuse-a");
  host("h1").faults.plan(Call::delete_snapshot, knows_no_such_route());
  EXPECT_EQ(remove(id), 500);
  ASSERT_TRUE(snapshot_row(id));
  EXPECT_EQ(snapshot_row(id)->state, SnapshotState::error);
  EXPECT_TRUE(leaks().empty());
  pass(seconds{100});
  EXPECT_FALSE(snapshot_row(id));
}

struct OfARemovedHost : SnapshotDelete {
  void SetUp() override {
    SnapshotDelete::SetUp();
    add_host("h1");
    ASSERT_TRUE(create("a"));
    id_ = snapshot("fuse-a");
    ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
    ASSERT_TRUE(await(engine->remove_host(executor, {}, "h1")));
    ASSERT_EQ(snapshot_row(id_)->state, SnapshotState::error);
    ASSERT_EQ(snapshot_row(id_)->last_error, "host removed");
  }
  std::string id_;
};

TEST_F(OfARemovedHost, ASnapshotIsItsRowAlone) {
  EXPECT_EQ(remove(id_), 204);
  EXPECT_FALSE(snapshot_row(id_));
  EXPECT_EQ(remove(id_), 404);
  EXPECT_TRUE(leaks().empty());
}

TEST_F(OfARemovedHost, ADeletionThatHadBegunEnds) {
  SnapshotRow begun = *snapshot_row(id_);
  begun.state = SnapshotState::deleting;
  write([&begun](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(begun, SnapshotState::error);
    return {};
  });
  pass(seconds{40});
  EXPECT_FALSE(snapshot_row(id_));
}

TEST_F(SnapshotDelete, RemovingAHostFailsEverySnapshotOfItAndOfNoOther) {
  constexpr int kMany = 10'001;
  add_host("h1");
  add_host("h2");
  const auto insert = [this](std::string host_id, int from, int to) {
    write([=](Tx& tx) -> base::Result<void> {
      SnapshotRow row;
      row.mode = "manual";
      row.state = SnapshotState::ready;
      row.host_id = host_id;
      for (int i = from; i < to; ++i) {
        row.snapshot_id = "s" + std::to_string(i);
        tx.insert_snapshot(row);
      }
      return {};
    });
  };
  for (int i = 0; i < kMany; i += 500) insert("h1", i, std::min(i + 500, kMany));
  insert("h2", kMany, kMany + 1);
  ASSERT_TRUE(await(engine->remove_host(executor, {}, "h1")));
  SnapshotFilter failed;
  failed.state = "error";
  const auto rows = await(store->get<std::vector<SnapshotRow>>(
      executor, [&](Reader& reader) { return reader.snapshots(failed, {}, 2 * kMany); }));
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(rows->front().last_error, "host removed");
  EXPECT_EQ(snapshot_row("s" + std::to_string(kMany))->state, SnapshotState::ready);
}

}  // namespace
}  // namespace fusebox::fleet
