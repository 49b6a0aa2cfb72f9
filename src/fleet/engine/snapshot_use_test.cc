#include "fleet/engine/snapshot_use.h"

#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

class SnapshotUse : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    ASSERT_TRUE(create("a"));
    const auto made = await(engine->snapshot(executor, {}, "fuse-a", {}));
    ASSERT_TRUE(made) << made.error().message;
    const auto document = base::json::parse(made->json);
    id_ = document->root->find("id")->string();
  }
  base::Nanos last_used(const std::string& id) {
    settle();  // nobody waits for the write
    const auto row = snapshot_row(id);
    return row ? row->last_used_at : base::Nanos{0};
  }
  base::Nanos now() const { return std::chrono::floor<std::chrono::microseconds>(clock.wall()); }
  base::Result<Outcome> fork(std::string reuse) {
    ForkRequest request;
    request.reuse_snapshot_id = std::move(reuse);
    return await(engine->fork(executor, {}, "fuse-a", request));
  }

  std::string id_;
};

TEST_F(SnapshotUse, AForkThatReusesItIsOne) {
  executor.run_for(seconds{60});
  ASSERT_TRUE(fork(id_));
  EXPECT_EQ(last_used(id_), now());
}

TEST_F(SnapshotUse, AForkOfItIsOne) {
  executor.run_for(seconds{60});
  ASSERT_TRUE(await(engine->fork_snapshot(executor, {}, id_, {})));
  EXPECT_EQ(last_used(id_), now());
}

TEST_F(SnapshotUse, ACreateFromItIsOne) {
  executor.run_for(seconds{60});
  CreateRequest wanted = request("b");
  wanted.seed_snapshot_id = id_;
  const auto made = await(engine->create(executor, {}, wanted));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(last_used(id_), now());
}

TEST_F(SnapshotUse, ARestoreIsOne) {
  executor.run_for(seconds{60});
  ASSERT_TRUE(await(engine->restore(executor, {}, id_)));
  EXPECT_EQ(last_used(id_), now());
}

TEST_F(SnapshotUse, ACopyThatServesASeedIsUsedWithIt) {
  add_host("h1");
  write([&](Tx& tx) -> base::Result<void> {
    SnapshotRow row;
    row.mode = "build";
    row.backend = "firecracker";
    row.arch = "amd64";
    row.digest = "d";
    row.state = SnapshotState::ready;
    for (const char* const host : {"h0", "h1"}) {
      row.snapshot_id = std::string("on-") + host;
      row.host_id = host;
      tx.insert_snapshot(row);
    }
    return {};
  });
  CreateRequest wanted = request("b");
  wanted.seed_snapshot_id = "on-h0";
  wanted.spec.host_id = "h1";
  EXPECT_FALSE(await(engine->create(executor, {}, wanted)));  // the stub there has no such snapshot
  EXPECT_EQ(last_used("on-h0"), now());
  EXPECT_EQ(last_used("on-h1"), now());
}

TEST_F(SnapshotUse, IsWrittenOnceInAStep) {
  const base::Nanos made = last_used(id_);
  executor.run_for(kUseStep - std::chrono::microseconds{1});
  ASSERT_TRUE(fork(id_));
  EXPECT_EQ(last_used(id_), made);
  executor.run_for(std::chrono::microseconds{1});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(fork(id_));
  const base::Nanos first = now();
  EXPECT_EQ(last_used(id_), first);
  EXPECT_EQ(times_of("snapshot_used"), 1);
  executor.run_for(kUseStep - std::chrono::microseconds{1});
  ASSERT_TRUE(fork(id_));
  EXPECT_EQ(last_used(id_), first);
  executor.run_for(std::chrono::microseconds{1});
  ASSERT_TRUE(fork(id_));
  EXPECT_EQ(last_used(id_), now());
  EXPECT_EQ(times_of("snapshot_used"), 2);
}

TEST_F(SnapshotUse, CostsANewSnapshotNothing) {
  ASSERT_TRUE(fork({}));
  settle();
  EXPECT_EQ(times_of("snapshot_used"), 0);
}

}  // namespace
}  // namespace fusebox::fleet
