#include "host/stub/stub_provider.h"

#include "host/provider_conformance_test_support.h"
#include "host/stub/faulty_provider.h"

namespace fusebox::host {
namespace {

using namespace std::chrono_literals;
using How = ProviderFault::How;

struct StubMaker {
  base::ManualClock clock;
  base::ManualExecutor manual{clock};
  base::SeededRandom random{7};
  StubProvider stub{StubOptions{.clock = &clock, .random = &random}};

  base::Executor& executor() { return manual; }
  Provider& provider() { return stub; }
  std::string image() const { return ""; }
  void settle(const std::function<bool()>& done) { manual.run_until(done); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Stub, ProviderConformance, StubMaker);

struct Stub : testing::Test {
  StubMaker maker;
  template <class T>
  T await(base::Task<T> task) {
    return finish(maker, std::move(task));
  }
  CreateSpec named(std::string name) {
    CreateSpec spec;
    spec.name = std::move(name);
    return spec;
  }
};

TEST_F(Stub, ExecutesNothingAndSaysSo) {
  ASSERT_TRUE(await(maker.stub.create({}, named("a"))));
  EXPECT_EQ(await(maker.stub.get({}, "a"))->url, "fc://a");
  const auto answer = await(maker.stub.exec({}, "a", {}));
  EXPECT_EQ(answer.error().code, base::Errc::unsupported);
  EXPECT_EQ(answer.error().message, "the stub provider executes nothing");
  EXPECT_EQ(await(maker.stub.exec({}, "b", {})).error().code, base::Errc::not_found);
}

TEST_F(Stub, GivesAnEndpointForEachExposedPort) {
  ASSERT_TRUE(await(maker.stub.create({}, named("a"))));
  StartAgentSpec spec;
  spec.expose = {{8080, "web", ""}, {53, "", "udp"}};
  const auto endpoints = await(maker.stub.start_agent({}, "a", spec));
  ASSERT_EQ(endpoints->size(), 2u);
  EXPECT_EQ((*endpoints)[0].url, "fc://a:8080");
  EXPECT_EQ((*endpoints)[0].as, "web");
  EXPECT_EQ((*endpoints)[1].port, 53);
  EXPECT_EQ((*endpoints)[1].protocol, "udp");
  EXPECT_EQ(await(maker.stub.start_agent({}, "a", {}))->size(), 2u);  // kept and returned
}

TEST_F(Stub, NamesSnapshotsByNumber) {
  ASSERT_TRUE(await(maker.stub.create({}, named("a"))));
  const auto one = await(maker.stub.snapshot({}, "a", {}));
  const auto two = await(maker.stub.snapshot({}, "a", {}));
  EXPECT_EQ(one->snapshot_id.substr(0, 5), "cp-1-");
  EXPECT_EQ(one->snapshot_id.size(), 11u);
  EXPECT_EQ(two->snapshot_id.substr(0, 5), "cp-2-");
}

TEST_F(Stub, BoundsTheFilesOfAnEnvironment) {
  ASSERT_TRUE(await(maker.stub.create({}, named("a"))));
  EXPECT_TRUE(await(maker.stub.upload({}, "a", "/f", std::string(kStubFileBytesMax, 'x'), {})));
  EXPECT_TRUE(await(maker.stub.upload({}, "a", "/f", std::string(kStubFileBytesMax, 'y'), {})));
  EXPECT_EQ(await(maker.stub.upload({}, "a", "/g", "1", {})).error().code, base::Errc::exhausted);
}

struct Faulty : Stub {
  ProviderFaults faults;
  FaultyProvider provider{maker.stub, maker.manual, faults};
};

TEST_F(Faulty, PassesEverythingOnWithoutAPlan) {
  ASSERT_TRUE(await(provider.create({}, named("a"))));
  EXPECT_EQ(await(provider.list({}, ""))->size(), 1u);
  EXPECT_TRUE(await(provider.upload({}, "a", "/f", "x", {})));
  EXPECT_TRUE(await(provider.read_file({}, "a", "/f")));
  EXPECT_EQ(faults.calls(ProviderCall::create), 1u);
  EXPECT_EQ(provider.backend(), "stub");
}

TEST_F(Faulty, FailsBeforeOrAfterTheFact) {
  faults.plan(ProviderCall::create, {.how = How::fail, .times = 2});
  faults.plan(ProviderCall::create, {.how = How::fail_late});
  EXPECT_EQ(await(provider.create({}, named("a"))).error().message, "connection reset");
  EXPECT_FALSE(await(provider.create({}, named("b"))));
  EXPECT_FALSE(await(provider.create({}, named("c"))));
  const auto listed = await(provider.list({}, ""));
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ((*listed)[0].vm_id, "c");
  EXPECT_TRUE(await(provider.create({}, named("d"))));
}

TEST_F(Faulty, DelaysByTheExecutorsClock) {
  faults.plan(ProviderCall::list, {.delay = 3s});
  const auto before = maker.clock.monotonic();
  EXPECT_TRUE(await(provider.list({}, "")));
  EXPECT_EQ(maker.clock.monotonic() - before, 3s);
}

TEST_F(Faulty, HangsUntilTheLimitTheStopOrTheRelease) {
  faults.plan(ProviderCall::get, {.how = How::hang, .times = kAlways});
  CallContext context;
  context.limit = 10s;
  const auto before = maker.clock.monotonic();
  EXPECT_FALSE(await(provider.get(context, "a")));
  EXPECT_EQ(maker.clock.monotonic() - before, 10s);

  std::stop_source stop;
  context.stop = stop.get_token();
  maker.manual.post_at(maker.clock.monotonic() + 2s, [&] { stop.request_stop(); });
  EXPECT_FALSE(await(provider.get(context, "a")));
  EXPECT_EQ(maker.clock.monotonic() - before, 12s);

  context.stop = {};
  maker.manual.post_at(maker.clock.monotonic() + 1s, [&] { faults.release(); });
  EXPECT_FALSE(await(provider.get(context, "a")));
  EXPECT_EQ(maker.clock.monotonic() - before, 13s);
}

TEST_F(Faulty, Lies) {
  faults.capacity = [](Capacity& capacity) { capacity.cpus = -4; };
  faults.record = [](VmRecord& record) { record.vm_id = "other"; };
  faults.list = [](std::vector<VmRecord>& all) { all.push_back({"ghost", "fc://ghost", 99, "", "running", "b"}); };
  EXPECT_EQ(await(provider.capacity({}))->cpus, -4);
  EXPECT_EQ(await(provider.create({}, named("a")))->vm_id, "other");
  EXPECT_EQ(await(provider.list({}, ""))->size(), 2u);
}

}  // namespace
}  // namespace fusebox::host
