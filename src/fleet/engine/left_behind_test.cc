// What is left in between when calls are lost, cut short, or overtaken: it comes to an end by itself, and to one only.
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

struct LeftBehind : EngineTest {
  // The answer does not come. `sent`: the request may have arrived.
  static host::ProviderFault no_answer(How how, bool sent, std::uint64_t times = 1) {
    auto detail = std::make_shared<host::WireFailure>();
    detail->sent = sent;
    return {.how = how, .error = {base::Errc::unavailable, "no answer", {}, std::move(detail)}, .times = times};
  }
  std::vector<SnapshotRow> snapshots() {
    auto rows = await(
        store->get<std::vector<SnapshotRow>>(executor, [](Reader& reader) { return reader.snapshots({}, {}, 10); }));
    EXPECT_TRUE(rows);
    return *rows;
  }
  std::size_t vms(const std::string& id) { return await(host(id).stub.list({}, "fuse-"))->size(); }
  // Begins a call that hangs, and goes on.
  template <class T>
  void begin(base::Task<T> call) {
    const auto one = [](base::Task<T> inner) -> base::Task<void> { (void)co_await std::move(inner); };
    base::spawn(executor, one(std::move(call)));
    settle();
  }
};

TEST_F(LeftBehind, ASnapshotWhoseAnswerWasLostIsFoundByItsMark) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(Call::snapshot, no_answer(How::fail_late, true));
  EXPECT_FALSE(await(engine->snapshot(executor, {}, "fuse-a", {})));
  ASSERT_EQ(snapshots().size(), 1u);
  EXPECT_EQ(snapshots().front().state, SnapshotState::creating);
  pass(seconds{40});
  EXPECT_EQ(snapshots().front().state, SnapshotState::ready);
}

TEST_F(LeftBehind, ASnapshotIsRestoredWhereItIsAndNowhereElse) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(engine->snapshot(executor, {}, "fuse-a", {})));
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  ASSERT_TRUE(await(engine->cordon(executor, {}, "h1", true)));
  add_host("h2");
  ASSERT_TRUE(create("a"));
  const auto refused = await(engine->restore(executor, {}, snapshots().front().snapshot_id));
  ASSERT_FALSE(refused);
  EXPECT_EQ(api_detail(refused.error()).status, 409);
  EXPECT_NE(refused.error().message.find("is on host \"h1\""), std::string::npos);
  EXPECT_EQ(snapshots().front().state, SnapshotState::ready);
}

TEST_F(LeftBehind, ARestoreThatADestroyCutsShortLeavesItsSnapshotReady) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(engine->snapshot(executor, {}, "fuse-a", {})));
  host("h1").faults.plan(Call::restore, no_answer(How::hang, true));
  begin(engine->restore(executor, {}, snapshots().front().snapshot_id));
  ASSERT_EQ(snapshots().front().state, SnapshotState::restoring);
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  host("h1").faults.release();
  pass(seconds{40});
  EXPECT_EQ(snapshots().front().state, SnapshotState::ready);
}

TEST_F(LeftBehind, WhatOneHostMayHaveIsMadeOnNoOther) {
  for (const char* id : {"h1", "h2"}) {
    add_host(id);
    host(id).faults.plan(Call::create, no_answer(How::fail_late, true));
    host(id).faults.plan(Call::get, no_answer(How::fail, false, host::kAlways));
    host(id).faults.plan(Call::destroy, no_answer(How::fail, false, host::kAlways));
  }
  EXPECT_FALSE(await_passing(engine->create(executor, {}, request("a"))));
  EXPECT_EQ(vms("h1") + vms("h2"), 1u);
  for (const char* id : {"h1", "h2"}) host(id).faults.clear();
  pass(seconds{60});
  EXPECT_EQ(vms("h1") + vms("h2"), 0u);
  EXPECT_FALSE(row("fuse-a"));
}

TEST_F(LeftBehind, AMigrationThatWasInterruptedLeavesOneOfTheTwo) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(engine->cordon(executor, {}, "h1", true)));
  add_host("h2");
  ASSERT_TRUE(create("b"));
  ASSERT_TRUE(await(engine->snapshot(executor, {}, "fuse-b", {})));  // of the same content: nothing is to be pulled
  host("h1").faults.plan(Call::exec, no_answer(How::hang, true));    // the drain of the source
  begin(engine->migrate(executor, {}, "fuse-a", {}));
  ASSERT_EQ(vms("h2"), 2u);
  ASSERT_TRUE(row("fuse-a"));
  while_closing = [this] { host("h1").faults.release(); };
  stop();
  start();
  pass(seconds{40});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(vms("h1"), 0u);
  EXPECT_EQ(vms("h2"), 2u);
}

TEST_F(LeftBehind, TheKeyOfACreateThatWasDestroyedUnderItIsAnsweredWithARefusal) {
  add_host("h1");
  host("h1").faults.plan(Call::create, no_answer(How::hang, true));
  RequestInfo info;
  info.route = "POST /v1/environments";
  info.idempotency_key = "k";
  begin(engine->create(executor, info, request("a")));
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  host("h1").faults.release();
  settle();
  const auto again = await(engine->create(executor, info, request("a")));
  ASSERT_FALSE(again);
  EXPECT_EQ(api_detail(again.error()).status, 409);
}

}  // namespace
}  // namespace fusebox::fleet
