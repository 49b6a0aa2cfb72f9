// A process that ends at a durable step and another that begins with its store: nothing lost, nothing twice.
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;

struct Recovery : EngineTest {
  std::vector<std::string> names(const std::string& id) {
    const auto listed = await(host(id).stub.list({}, "fuse-"));
    std::vector<std::string> found;
    for (const auto& record : *listed) found.push_back(record.vm_id);
    return found;
  }
};

// Operations of a process that is gone, as the store has them at each step, are finished or undone exactly once.
TEST_F(Recovery, ACreateThatWasInterruptedIsFinishedFromItsRecordedStep) {
  add_host("h1");
  // The answer of the host never comes: the operation stays at host_create_sent while the environment exists there.
  host("h1").faults.plan(Call::create, {.how = host::ProviderFault::How::hang_late,
                                        .error = {base::Errc::unavailable, "gone", {}, nullptr}});
  RequestInfo info;
  info.respond_async = true;
  info.route = "POST /v1/environments";
  info.idempotency_key = "k";
  ASSERT_TRUE(await(engine->create(executor, info, request("a"))));
  settle();
  ASSERT_EQ(row("fuse-a")->state, EnvironmentState::provisioning);
  while_closing = [this] { host("h1").faults.release(); };
  stop();
  start();
  pass(seconds{5});
  ASSERT_TRUE(row("fuse-a"));
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
  EXPECT_EQ(names("h1"), (std::vector<std::string>{"fuse-a"}));
  EXPECT_EQ(host_row("h1").vm_count_allocated, 1);
  info.respond_async = false;
  const auto again = await(engine->create(executor, info, request("a")));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->status, 201);
  EXPECT_TRUE(again->replayed);
}

TEST_F(Recovery, ADestroyThatWasInterruptedIsFinished) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(
      Call::destroy, {.how = host::ProviderFault::How::hang, .error = {base::Errc::unavailable, "gone", {}, nullptr}});
  const auto one = [](EngineTest& test) -> base::Task<void> {
    (void)co_await test.engine->destroy(test.executor, {}, "fuse-a");
  };
  base::spawn(executor, one(*this));
  settle();
  ASSERT_EQ(row("fuse-a")->state, EnvironmentState::destroying);
  while_closing = [this] { host("h1").faults.release(); };
  stop();
  start();
  pass(seconds{40});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_TRUE(names("h1").empty());
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
}

TEST_F(Recovery, WhatAStopLeavesUndoneWaitsForNoLease) {
  add_host("h1");
  host("h1").faults.plan(Call::create, {.how = host::ProviderFault::How::hang_late,
                                        .error = {base::Errc::unavailable, "gone", {}, nullptr}});
  RequestInfo info;
  info.respond_async = true;
  ASSERT_TRUE(await(engine->create(executor, info, request("a"))));
  settle();
  const auto free_to_take = [this] {
    const base::Nanos at = clock.wall() + std::chrono::microseconds{1};
    const auto found = await(store->get<std::vector<OperationRow>>(
        executor, [at](Reader& reader) { return reader.expired_operations(at, 10); }));
    EXPECT_TRUE(found);
    return found->size();
  };
  EXPECT_EQ(free_to_take(), 0u);
  while_closing = [this] { host("h1").faults.release(); };
  stop();
  EXPECT_EQ(free_to_take(), 1u);
}

TEST_F(Recovery, ARestartChangesNothingThatRuns) {
  add_host("h1");
  for (const char* task : {"a", "b", "c"}) ASSERT_TRUE(create(task));
  stop();
  start();
  pass(seconds{100});
  for (const char* id : {"fuse-a", "fuse-b", "fuse-c"}) {
    ASSERT_TRUE(row(id)) << id;
    EXPECT_EQ(row(id)->state, EnvironmentState::running);
  }
  EXPECT_EQ(host_row("h1").vm_count_allocated, 3);
}

}  // namespace
}  // namespace fusebox::fleet
