#include "fleet/engine/engine_test_support.h"
#include "fleet/engine/reconcile_test_support.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Call = host::ProviderCall;
using How = host::ProviderFault::How;
using Words = std::vector<std::string>;

host::ProviderFault refusing(std::uint64_t times = host::kAlways) {
  auto failure = std::make_shared<host::WireFailure>();
  failure->refused = true;
  return {.how = How::fail, .error = {base::Errc::unavailable, "connection refused", {}, failure}, .times = times};
}

HostRequest wasm_host(const std::string& id) {
  HostRequest host;
  host.id = id;
  host.url = "http://" + id + ".test:8090";
  host.backend = "wasm";
  host.vm_count = 10;
  return host;
}

struct EngineHosts : EngineTest {
  base::Result<Outcome> create_of_image(std::string task, std::string image) {
    auto wanted = request(std::move(task));
    wanted.spec.image = std::move(image);
    return await(engine->create(executor, {}, wanted));
  }
  void tells(const std::string& id, std::map<std::string, std::int64_t> images) {
    host(id).faults.capacity = [images](host::Capacity& capacity) { capacity.image_gb = images; };
  }
  // Two creates that the provider takes its time for: how many reach it before it has answered.
  std::uint64_t creates_at_once(host::ProviderFaults& faults) {
    const std::uint64_t before = faults.calls(Call::create);
    faults.plan(Call::create, {.delay = seconds{1}, .times = 2});
    const auto one = [](EngineTest& test, std::string task) -> base::Task<void> {
      (void)co_await test.engine->create(test.executor, {}, test.request(std::move(task)));
    };
    for (const char* task : {"one", "two"}) base::spawn(executor, one(*this, task));
    settle();
    const std::uint64_t reached = faults.calls(Call::create) - before;
    pass(seconds{3});
    return reached;
  }
};

TEST_F(EngineHosts, AUrlOfWhichNoProviderCanBeMadeIsRefused) {
  factory.unusable.insert("http://h1.test:8090");
  HostRequest host;
  host.id = "h1";
  host.url = "http://h1.test:8090";
  host.vm_count = 1;
  const auto refused = await(engine->register_host(executor, {}, host));
  ASSERT_FALSE(refused);
  EXPECT_EQ(api_detail(refused.error()).status, 400);
  EXPECT_NE(refused.error().message.find("http://h1.test:8090"), std::string::npos);
}

TEST_F(EngineHosts, AReferenceQemuAgentServesOneVmWhetherProbedOrPolled) {
  host("h1").faults.capacity = [](host::Capacity& capacity) {
    capacity.agent_name = "qemu-agent";
    capacity.agent_version = "0.1";
  };
  add_host("h1", 10, "qemu");
  EXPECT_EQ(host_row("h1").vm_count_max, 1);
  add_host("h2", 10, "qemu");
  EXPECT_EQ(host_row("h2").vm_count_max, 10);
  host("h2").faults.capacity = host("h1").faults.capacity;
  pass(seconds{25});
  EXPECT_EQ(host_row("h2").vm_count_max, 1);
}

TEST_F(EngineHosts, AnImageThatIsOnAHostAloneIsFoundThereByEveryReplica) {
  tells("h1", {{"py", 0}});
  tells("h2", {{"js", 0}, {"js:1", 0}});
  for (const char* id : {"h1", "h2"}) ASSERT_TRUE(await(engine->register_host(executor, {}, wasm_host(id))));
  ASSERT_TRUE(create_of_image("a", "js"));
  EXPECT_EQ(row("fuse-a")->host_id, "h2");
  // A replica that does not poll knows what the leader was told.
  stop();
  store->leads = false;
  start();
  const auto made = create_of_image("b", "js:1");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(row("fuse-b")->host_id, "h2");
  auto wanted = request("c");
  wanted.spec.image = "rb";
  wanted.spec.backend = "wasm";
  const auto refused = await(engine->create(executor, {}, wanted));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "no host has sufficient capacity: image \"rb\" is on none of 2 schedulable hosts");
  const auto explained = await(engine->explain(executor, wanted));
  ASSERT_TRUE(explained);
  EXPECT_NE(explained->find(R"("reason":"does not have image \"rb\"")"), std::string::npos) << *explained;
}

TEST_F(EngineHosts, AHeartbeatThatLeavesOutImagesKeepsThem) {
  tells("h1", {{"js", 0}});
  ASSERT_TRUE(await(engine->register_host(executor, {}, wasm_host("h1"))));
  HeartbeatRequest heartbeat;
  heartbeat.capacity = host::StubOptions::default_capacity();
  ASSERT_TRUE(await(engine->heartbeat(executor, {}, "h1", heartbeat)));
  EXPECT_TRUE(create_of_image("a", "js"));
  heartbeat.capacity->image_gb.emplace();
  ASSERT_TRUE(await(engine->heartbeat(executor, {}, "h1", heartbeat)));
  EXPECT_FALSE(create_of_image("b", "js"));
}

TEST_F(EngineHosts, ASpecWithoutStorageTakesTheSizeOfItsImage) {
  host("h1").faults.capacity = [](host::Capacity& capacity) {
    capacity.base_image_gb = 4;
    capacity.image_gb = std::map<std::string, std::int64_t>{{"desktop", 16}};
  };
  add_host("h1");
  ASSERT_TRUE(create("a"));
  EXPECT_EQ(host_row("h1").storage_gb_allocated, 4);
  ASSERT_TRUE(create_of_image("b", "desktop"));
  EXPECT_EQ(host_row("h1").storage_gb_allocated, 20);
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-a")));
  ASSERT_TRUE(await(engine->destroy(executor, {}, "fuse-b")));
  EXPECT_EQ(host_row("h1").storage_gb_allocated, 0);
}

TEST_F(EngineHosts, AHostThatAnswersWithTheIdOfAnotherVmDoesNotGetIt) {
  add_host("h1");
  ASSERT_TRUE(create("a"));
  host("h1").faults.record = [](host::VmRecord& record) { record.vm_id = "fuse-a"; };
  const auto refused = create("b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(api_detail(refused.error()).status, 500);
  EXPECT_EQ(refused.error().message,
            "host \"h1\" answered with vm id fuse-a, which is that of vm fuse-a; nothing of that vm was touched");
  EXPECT_FALSE(row("fuse-b"));
  ASSERT_TRUE(row("fuse-a"));
  const auto listed = await(host("h1").stub.list({}, "fuse-"));
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1U);  // what was made for b is gone
  EXPECT_EQ(listed->front().vm_id, "fuse-a");
}

TEST_F(EngineHosts, AnIdOfTheHostsOwnChoiceIsItsName) {
  add_host("h1");
  host::CreateSpec chosen;
  chosen.name = "vm-17";
  ASSERT_TRUE(await(host("h1").stub.create({}, chosen)));
  host("h1").faults.record = [](host::VmRecord& record) { record.vm_id = "vm-17"; };
  ASSERT_TRUE(create("a"));
  EXPECT_EQ(row("fuse-a")->host_vm_name, "vm-17");
}

TEST_F(EngineHosts, AStaleGenerationIsNotAdopted) {
  add_host("h1");
  auto lost = std::make_shared<host::WireFailure>();
  lost->sent = true;
  host("h1").faults.plan(Call::create, {.how = How::fail_late, .error = {base::Errc::unavailable, "reset", {}, lost}});
  host("h1").faults.record = [](host::VmRecord& record) { record.generation = 0; };
  const auto made = create("a");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(host("h1").faults.calls(Call::destroy), 1U);
  EXPECT_EQ(host("h1").faults.calls(Call::create), 2U);
}

TEST_F(EngineHosts, AHostThatLearnsToCreateInParallelDoes) {
  host("h1").faults.capacity = [](host::Capacity& capacity) { std::erase(capacity.features, "parallel-create"); };
  add_host("h1");
  EXPECT_EQ(creates_at_once(host("h1").faults), 1U);
  host("h1").faults.capacity = {};
  pass(seconds{15});
  for (const char* vm : {"fuse-one", "fuse-two"}) ASSERT_TRUE(await(engine->destroy(executor, {}, vm)));
  EXPECT_EQ(creates_at_once(host("h1").faults), 2U);
}

TEST_F(EngineHosts, OneThatWasAwayWhenItWasRegisteredIsKnownOnceItAnswers) {
  host("h1").faults.plan_all(refusing());
  host("h1").faults.capacity = [](host::Capacity& capacity) { capacity.arch = "arm64"; };
  add_host("h1");
  EXPECT_EQ(host_row("h1").arch, "");
  host("h1").faults.clear();
  pass(seconds{25});
  EXPECT_EQ(host_row("h1").arch, "arm64");
  EXPECT_EQ(events_of("host", "h1"), (Words{"host.registered", "host.unreachable", "host.reachable"}));
}

TEST_F(EngineHosts, EveryChangeOfReachabilityIsToldOnceAndWithItsOpposite) {
  add_host("h1");
  // Calls for an environment find it gone; a heartbeat finds it back.
  host("h1").faults.plan_all(refusing());
  for (const char* task : {"a", "b"}) EXPECT_FALSE(await_passing(engine->create(executor, {}, request(task))));
  settle();
  EXPECT_EQ(events_of("host", "h1"), (Words{"host.registered", "host.unreachable"}));
  host("h1").faults.clear();
  ASSERT_TRUE(await(engine->heartbeat(executor, {}, "h1", {})));
  EXPECT_EQ(events_of("host", "h1"), (Words{"host.registered", "host.unreachable", "host.reachable"}));
  EXPECT_EQ(host_row("h1").reach_state, Reachability::reachable);
}

TEST_F(EngineHosts, ASuspectThatAnswersIsNoNews) {
  add_host("h1");
  auto lost = std::make_shared<host::WireFailure>();
  host("h1").faults.plan_all(
      {.how = How::fail, .error = {base::Errc::unavailable, "no route", {}, lost}, .times = host::kAlways});
  pass(seconds{50});
  EXPECT_EQ(host_row("h1").reach_state, Reachability::suspect);
  host("h1").faults.clear();
  pass(seconds{15});
  EXPECT_EQ(host_row("h1").reach_state, Reachability::reachable);
  EXPECT_EQ(events_of("host", "h1"), (Words{"host.registered"}));
}

struct ReplicasHosts : TickTest {};

TEST_F(ReplicasHosts, AFollowerPlacesByWhatTheLeaderSaysOfAHost) {
  add_host("h1");
  begin_ticks();
  store->leads = false;
  HostRow said = host_row("h1");
  said.reach_state = Reachability::suspect;
  write([said](Tx& tx) -> base::Result<void> {
    tx.set_host_contact(said);
    return {};
  });
  ASSERT_TRUE(await(load_hosts(*core)));
  EXPECT_EQ(core->hosts.find("h1")->row.reach_state, Reachability::suspect);
}

TEST_F(ReplicasHosts, WhoBecomesLeaderJudgesByWhatOthersHeard) {
  add_host("h1");
  begin_ticks();
  store->leads = false;
  executor.run_for(std::chrono::hours{1});
  HostRow heard = host_row("h1");
  heard.last_seen_at = clock.wall();
  write([heard](Tx& tx) -> base::Result<void> {
    tx.set_host_contact(heard);
    return {};
  });
  ASSERT_TRUE(await(load_hosts(*core)));
  store->leads = true;
  age_hosts(*core);
  EXPECT_EQ(core->hosts.find("h1")->row.reach_state, Reachability::reachable);
}

TEST_F(ReplicasHosts, AHeartbeatOfAHostThatAnotherReplicaRegisteredIsTaken) {
  add_host("h1");
  begin_ticks();
  core->hosts.remove("h1");
  EXPECT_TRUE(await(take_heartbeat(*core, "h1", {})));
  EXPECT_TRUE(core->hosts.find("h1"));
  EXPECT_FALSE(await(take_heartbeat(*core, "h2", {})));
}

// FIRECRACKER_BASE_URL: an agent without a row.
struct DefaultAgent : EngineHosts {
  FakeHost& agent() { return factory.local_stub(); }
  void begin(std::vector<std::string> features) {
    stop();
    factory.local_is_agent = true;
    agent().faults.capacity = [features](host::Capacity& capacity) { capacity.features = features; };
    start();
    settle();
  }
};

TEST_F(DefaultAgent, WhatNobodyKnowsOnItIsKeptWhenAsked) {
  options.keep_unknown_vms = true;
  begin({});
  host::CreateSpec theirs;
  theirs.name = "fuse-theirs";
  ASSERT_TRUE(await(agent().stub.create({}, theirs)));
  pass(seconds{300});
  EXPECT_TRUE(await(agent().stub.get({}, "fuse-theirs")));
}

TEST_F(DefaultAgent, ItTakesOneCreateAtATimeUntilItSaysMore) {
  begin({"generation"});
  EXPECT_EQ(creates_at_once(agent().faults), 1U);
  for (const char* vm : {"fuse-one", "fuse-two"}) ASSERT_TRUE(await(engine->destroy(executor, {}, vm)));
  agent().faults.capacity = {};
  pass(seconds{15});
  EXPECT_EQ(creates_at_once(agent().faults), 2U);
}

}  // namespace
}  // namespace fusebox::fleet
