#include <set>

#include "base/json.h"
#include "fleet/engine/engine_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;

std::string field(const std::string& json, std::string_view key) {
  const auto document = base::json::parse(json);
  const auto* found = document ? document->root->find(key) : nullptr;
  return found != nullptr && found->is_string() ? found->string() : std::string();
}
int status_of(const base::Error& error) {
  return api_detail(error).status;
}

struct Lifecycle : EngineTest {
  // Why it was never running, as often as the audit says so.
  std::vector<std::string> failures_of(const std::string& vm_id) {
    std::vector<std::string> reasons;
    for (const EventRow& event : audit_of(vm_id))
      if (event.event_type == "vm.provision_failed") reasons.push_back(field(event.payload_json, "reason"));
    return reasons;
  }
};

TEST_F(Lifecycle, CreateAnswersARunningEnvironmentAndDestroyRemovesIt) {
  const auto made = create("a");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->status, 201);
  EXPECT_EQ(field(made->json, "id"), "fuse-a");
  EXPECT_EQ(field(made->json, "state"), "running");
  EXPECT_EQ(field(made->json, "backend"), "stub");
  EXPECT_EQ(field(made->json, "url"), "fc://fuse-a");
  const auto gone = await(engine->destroy(executor, {}, "fuse-a"));
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(wire_states("fuse-a"), (std::vector<std::string>{"provisioning", "running", "destroying", "destroyed"}));
  EXPECT_EQ(status_of(await(engine->destroy(executor, {}, "fuse-a")).error()), 404);
}

TEST_F(Lifecycle, ATaskHasOneEnvironmentAtATime) {
  ASSERT_TRUE(create("a"));
  const auto again = create("a");
  ASSERT_FALSE(again);
  EXPECT_EQ(status_of(again.error()), 409);
  EXPECT_EQ(again.error().message, "task already assigned: task a already assigned to vm fuse-a");
}

TEST_F(Lifecycle, ATaskMayHaveAnotherEnvironmentOnceItsFirstIsGone) {
  add_host("h1");
  for (int i = 0; i < 3; ++i) {
    const auto made = create("a");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->status, 201);
    ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  }
}

TEST_F(Lifecycle, OfManyCreatesOfOneTaskOneSucceeds) {
  int made = 0;
  int refused = 0;
  const auto one = [](EngineTest& test, int& good, int& bad) -> base::Task<void> {
    auto outcome = co_await test.engine->create(test.executor, {}, test.request("same"));
    ++(outcome ? good : bad);
  };
  for (int i = 0; i < 20; ++i) base::spawn(executor, one(*this, made, refused));
  settle();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(refused, 19);
}

TEST_F(Lifecycle, ACreateIsPlacedOnAHostAndItsRoomComesBackOnce) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  EXPECT_EQ(row("fuse-a")->host_id, "h1");
  EXPECT_EQ(host_row("h1").vm_count_allocated, 1);
  EXPECT_EQ(host_row("h1").ram_mb_allocated, 512);
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
  EXPECT_EQ(host_row("h1").ram_mb_allocated, 0);
}

TEST_F(Lifecycle, RoomIsNeverGivenTwice) {
  add_host("h1", 3);
  int made = 0;
  int refused = 0;
  const auto one = [](EngineTest& test, std::string task, int& good, int& bad) -> base::Task<void> {
    auto outcome = co_await test.engine->create(test.executor, {}, test.request(std::move(task)));
    ++(outcome ? good : bad);
  };
  for (int i = 0; i < 10; ++i) base::spawn(executor, one(*this, "t" + std::to_string(i), made, refused));
  settle();
  EXPECT_EQ(made, 3);
  EXPECT_EQ(refused, 7);
  EXPECT_EQ(host_row("h1").vm_count_allocated, 3);
}

TEST_F(Lifecycle, APlacementRefusalLeavesAFailedTaskAndATerminalEvent) {
  add_host("h1", 1);
  ASSERT_TRUE(create("a"));
  const auto refused = create("b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(status_of(refused.error()), 503);
  EXPECT_NE(refused.error().message.find("no host has sufficient capacity"), std::string::npos);
  EXPECT_EQ(wire_states("fuse-b"), (std::vector<std::string>{"failed"}));
  const auto task =
      await(store->get<std::optional<TaskRow>>(executor, [](Reader& reader) { return reader.task("b"); }));
  ASSERT_TRUE(task && *task);
  EXPECT_EQ((*task)->run_status, TaskStatus::failed);
}

TEST_F(Lifecycle, WhatAWasmEnvironmentHasNothingForIsRefusedAndNothingIsMade) {
  add_host("h1", 10, "wasm");
  const auto asked = [&](const std::function<void(CreateRequest&)>& change) {
    CreateRequest wanted = request("a");
    wanted.spec.backend = "wasm";
    change(wanted);
    return await(engine->create(executor, {}, wanted));
  };
  const auto script = asked([](CreateRequest& wanted) { wanted.startup_script = "echo"; });
  ASSERT_FALSE(script);
  EXPECT_EQ(status_of(script.error()), 400);
  EXPECT_EQ(
      script.error().message,
      "startup_script: environments of backend \"wasm\" have no shell to run it; leave it out and use exec, or ask "
      "for another spec.backend");
  const auto steps_too = asked([](CreateRequest& wanted) { wanted.startup_steps.emplace_back().run = "echo"; });
  ASSERT_FALSE(steps_too);
  EXPECT_EQ(status_of(steps_too.error()), 400);
  EXPECT_TRUE(steps_too.error().message.starts_with("startup_steps: ")) << steps_too.error().message;
  const auto ports = asked([](CreateRequest& wanted) { wanted.expose.emplace_back().port = 80; });
  ASSERT_FALSE(ports);
  EXPECT_EQ(status_of(ports.error()), 501);
  EXPECT_EQ(ports.error().message,
            "expose: environments of backend \"wasm\" have no ports; leave it out or ask for another spec.backend");
  EXPECT_EQ(wire_states("fuse-a"), std::vector<std::string>{});
  EXPECT_EQ(host("h1").faults.calls(Call::create), 0U);
  EXPECT_TRUE(asked([](CreateRequest&) {}));
}

TEST_F(Lifecycle, TheStubTakesAScriptAndSaysWhereItsPortsWouldBe) {
  CreateRequest wanted = request("a");
  wanted.startup_script = "echo";
  wanted.expose.emplace_back().port = 80;
  const auto made = await(engine->create(executor, {}, wanted));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_NE(made->json.find("fc://fuse-a:80"), std::string::npos) << made->json;
}

TEST_F(Lifecycle, AFailedBootIsGoneBeforeItsErrorIsAnswered) {
  add_host("h1");
  host("h1").faults.plan(Call::start_agent, {.how = How::fail, .error = {base::Errc::io, "no binary", {}, nullptr}});
  const auto failed = create("a");
  ASSERT_FALSE(failed);
  EXPECT_EQ(status_of(failed.error()), 500);
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(wire_states("fuse-a"), (std::vector<std::string>{"provisioning", "destroying", "failed"}));
  EXPECT_EQ(failures_of("fuse-a"), std::vector<std::string>{"guest agent did not start: no binary"});
  const auto listed = await(host("h1").stub.list({}, "fuse-"));
  ASSERT_TRUE(listed);
  EXPECT_TRUE(listed->empty());
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
}

TEST_F(Lifecycle, ALostAnswerToACreateAdoptsWhatIsThere) {
  add_host("h1");
  auto failure = std::make_shared<host::WireFailure>();
  failure->sent = true;
  host("h1").faults.plan(Call::create,
                         {.how = How::fail_late, .error = {base::Errc::unavailable, "reset", {}, failure}});
  const auto made = create("a");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(host("h1").faults.calls(Call::create), 1U);
  const auto listed = await(host("h1").stub.list({}, "fuse-"));
  EXPECT_EQ(listed->size(), 1U);
}

TEST_F(Lifecycle, AHostThatDoesNotAnswerIsLeftForAnother) {
  add_host("h1");
  add_host("h2");
  auto failure = std::make_shared<host::WireFailure>();
  for (const char* id : {"h1", "h2"}) {
    host(id).faults.plan(Call::create,
                         {.how = How::fail, .error = {base::Errc::unavailable, "down", {}, failure}, .times = 2});
  }
  host("h2").faults.clear();
  const auto made = create("a");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(row("fuse-a")->host_id, "h2");
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
  EXPECT_EQ(host_row("h2").vm_count_allocated, 1);
}

TEST_F(Lifecycle, ADestroyDuringACreateWins) {
  add_host("h1");
  host("h1").faults.plan(Call::create,
                         {.how = How::hang_late, .error = {base::Errc::unavailable, "late", {}, nullptr}});
  std::optional<base::Result<Outcome>> created;
  const auto one = [](EngineTest& test, std::optional<base::Result<Outcome>>& into) -> base::Task<void> {
    into = co_await test.engine->create(test.executor, {}, test.request("a"));
  };
  base::spawn(executor, one(*this, created));
  settle();
  ASSERT_FALSE(created);
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  host("h1").faults.release();
  settle();
  ASSERT_TRUE(created);
  ASSERT_FALSE(*created);
  EXPECT_EQ(status_of(created->error()), 409);
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(failures_of("fuse-a"), std::vector<std::string>{"requested"});
  EXPECT_EQ(host_row("h1").vm_count_allocated, 0);
}

TEST_F(Lifecycle, AFailedDestroyStaysDestroyingAndIsTriedUntilItIsGone) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.plan(Call::destroy, {.how = How::fail, .error = {base::Errc::io, "busy", {}, nullptr}, .times = 2});
  EXPECT_EQ(status_of(await(engine->destroy(executor, {}, "fuse-a")).error()), 500);
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::destroying);
  EXPECT_EQ(host_row("h1").vm_count_allocated, 1);
  pass(seconds{120});
  EXPECT_FALSE(row("fuse-a"));
  EXPECT_EQ(wire_states("fuse-a").back(), "destroyed");
}

TEST_F(Lifecycle, AnIdempotencyKeyGivesTheFirstOutcomeAgainAndRefusesAnotherBody) {
  RequestInfo info;
  info.route = "POST /v1/environments";
  info.idempotency_key = "k1";
  info.body_hash = {std::byte{1}};
  const auto first = await(engine->create(executor, info, request("a")));
  ASSERT_TRUE(first);
  const auto second = await(engine->create(executor, info, request("a")));
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->replayed);
  EXPECT_EQ(second->json, first->json);
  info.body_hash = {std::byte{2}};
  const auto other = await(engine->create(executor, info, request("b")));
  ASSERT_FALSE(other);
  EXPECT_EQ(status_of(other.error()), 409);
}

TEST_F(Lifecycle, RespondAsyncSaysWhereToLook) {
  RequestInfo info;
  info.respond_async = true;
  const auto accepted = await(engine->create(executor, info, request("a")));
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->status, 202);
  EXPECT_EQ(accepted->location, "/v1/environments/fuse-a");
  EXPECT_EQ(field(accepted->json, "state"), "provisioning");
  settle();
  EXPECT_EQ(row("fuse-a")->state, EnvironmentState::running);
}

TEST_F(Lifecycle, DrainAnswersTheEnvironmentAndIsForRunningOnesOnly) {
  ASSERT_TRUE(create("a"));
  const auto drained = await(engine->drain(executor, {}, "fuse-a"));
  ASSERT_TRUE(drained) << drained.error().message;
  EXPECT_EQ(field(drained->json, "state"), "draining");
  EXPECT_EQ(status_of(await(engine->drain(executor, {}, "fuse-a")).error()), 409);
}

TEST_F(Lifecycle, AForkCarriesItsSourceAndItsLineage) {
  ASSERT_TRUE(create("a"));
  const auto forked = await(engine->fork(executor, {}, "fuse-a", {}));
  ASSERT_TRUE(forked) << forked.error().message;
  EXPECT_EQ(forked->status, 201);
  const std::string id = field(forked->json, "id");
  EXPECT_TRUE(id.starts_with("fuse-fork-")) << id;
  EXPECT_EQ(row(id)->source_vm_id, "fuse-a");
}

TEST_F(Lifecycle, ASnapshotIsMadeRestoredAndDeleted) {
  ASSERT_TRUE(create("a"));
  const auto made = await(engine->snapshot(executor, {}, "fuse-a", {}));
  ASSERT_TRUE(made) << made.error().message;
  const std::string id = field(made->json, "id");
  EXPECT_EQ(field(made->json, "state"), "ready");
  const auto restored = await(engine->restore(executor, {}, id));
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->status, 204);
  ASSERT_TRUE(await(engine->delete_snapshot(executor, {}, id)));
  EXPECT_EQ(status_of(await(engine->delete_snapshot(executor, {}, id)).error()), 404);
}

TEST_F(Lifecycle, WhoFollowsAnEnvironmentHearsOfItsSnapshotsWhileItIsThere) {
  ASSERT_TRUE(create("a"));
  const auto made = await(engine->snapshot(executor, {}, "fuse-a", {}));
  ASSERT_TRUE(made) << made.error().message;
  const std::string id = field(made->json, "id");
  const auto other = await(engine->snapshot(executor, {}, "fuse-a", {}));
  ASSERT_TRUE(other);
  const std::string later = field(other->json, "id");
  ASSERT_TRUE(await(engine->restore(executor, {}, id)));
  ASSERT_TRUE(await(engine->delete_snapshot(executor, {}, later)));
  const auto told = [&] {
    std::vector<std::string> payloads;
    for (const EnvEventRow& event : env_events("fuse-a"))
      if (event.kind == "snapshot") payloads.push_back(event.payload_json);
    return payloads;
  };
  const auto event = [](const std::string& action, const std::string& snapshot_id) {
    return R"({"event":"snapshot","vm_id":"fuse-a","payload":{"action":")" + action + R"(","snapshot_id":")" +
           snapshot_id + R"("}})";
  };
  EXPECT_EQ(told(), (std::vector<std::string>{event("created", id), event("created", later), event("restored", id),
                                              event("deleted", later)}));
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  clock.advance(seconds{1});
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(await(engine->delete_snapshot(executor, {}, id)));
  EXPECT_EQ(told(), std::vector<std::string>{}) << "one that has the name has not the snapshots";
}

TEST_F(Lifecycle, ARequestIsNamedInTheEventsItCausedAndInTheCallsToItsHost) {
  add_host("h1");
  std::set<std::string> heard;  // of calls that change something
  host("h1").faults.heard = [&](Call call, const host::CallContext& context) {
    if (call != Call::capacity && call != Call::list && call != Call::logs) heard.insert(context.request_id);
  };
  const auto asked_as = [&](const std::string& id) {
    heard.clear();
    RequestInfo info;
    info.request_id = id;
    return info;
  };
  const auto named = [&](const std::string& entity, const std::string& id) {
    std::vector<std::string> types;
    for (const EventRow& event : audit_of(entity))
      if (field(event.payload_json, "request_id") == id) types.push_back(event.event_type);
    return types;
  };
  using Words = std::vector<std::string>;
  const std::set<std::string> one{"req-1"};
  CreateRequest wanted = request("a");
  wanted.secrets.emplace("KEY", "hunter22");
  ASSERT_TRUE(await(engine->create(executor, asked_as("req-1"), wanted)));
  EXPECT_EQ(heard, one);
  EXPECT_EQ(named("fuse-a", "req-1"), (Words{"vm.provisioning", "vm.scheduled", "vm.running", "secrets.deployed"}));
  EXPECT_EQ(named("a", "req-1"), (Words{"task.assigned", "task.running"}));
  const auto made = await(engine->snapshot(executor, asked_as("req-2"), "fuse-a", {}));
  ASSERT_TRUE(made);
  EXPECT_EQ(heard, std::set<std::string>{"req-2"});
  const std::string snapshot = field(made->json, "id");
  ASSERT_TRUE(await(engine->restore(executor, asked_as("req-3"), snapshot)));
  ASSERT_TRUE(await(engine->delete_snapshot(executor, asked_as("req-4"), snapshot)));
  EXPECT_EQ(heard, std::set<std::string>{"req-4"});
  EXPECT_EQ(named(snapshot, "req-2"), Words{"snapshot.created"});
  EXPECT_EQ(named(snapshot, "req-3"), Words{"snapshot.restored"});
  EXPECT_EQ(named(snapshot, "req-4"), Words{"snapshot.deleted"});
  ASSERT_TRUE(await(engine->rotate_token(executor, asked_as("req-5"), "fuse-a")));
  EXPECT_EQ(named("fuse-a", "req-5"), Words{"vm.token_rotated"});
  EXPECT_EQ(heard, std::set<std::string>{"req-5"});
  ASSERT_TRUE(await(engine->destroy(executor, asked_as("req-6"), "fuse-a")));
  EXPECT_EQ(named("fuse-a", "req-6"), (Words{"vm.destroying", "vm.removed"}));
  EXPECT_EQ(named("a", "req-6"), Words{"task.failed"});
  EXPECT_EQ(heard, std::set<std::string>{"req-6"});
}

TEST_F(Lifecycle, AnotherTenantSeesNothing) {
  RequestInfo mine;
  mine.caller.tenant = "t1";
  ASSERT_TRUE(await(engine->create(executor, mine, request("a"))));
  RequestInfo theirs;
  theirs.caller.tenant = "t2";
  EXPECT_EQ(status_of(await(engine->destroy(executor, theirs, "fuse-a")).error()), 404);
  EXPECT_EQ(status_of(await(engine->fork(executor, theirs, "fuse-a", {})).error()), 404);
  EXPECT_TRUE(row("fuse-a"));
}

}  // namespace
}  // namespace fusebox::fleet
