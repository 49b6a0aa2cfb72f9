// Calls on fibers: guests that wait hold no thread, and limits hold over the whole call.
#include "engine/async.h"

#include <thread>

#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

constexpr ValType I = ValType::i32;

struct Gate {
  bool open = false;
  int asked = 0;
  int dropped = 0;
};

// Answers its argument plus one when the gate is open; waits until then.
bool pass(HostContext&, void* env, RawValue*, Waiting& waiting) {
  waiting.state = env;
  waiting.ready = [](void* state, RawValue* values) {
    auto& gate = *static_cast<Gate*>(state);
    ++gate.asked;
    ++values[0].i32;
    if (!gate.open) --values[0].i32;
    return gate.open;
  };
  waiting.drop = [](void* state) { ++static_cast<Gate*>(state)->dropped; };
  return true;
}
bool at_once(HostContext&, void*, RawValue* values, Waiting&) {
  values[0].i32 *= 2;
  return true;
}
bool refuse(HostContext& context, void*, RawValue*, Waiting&) {
  context.end(Denied{"gate", "closed for good"});
  return false;
}

constexpr std::string_view kGuest = R"((module (import "env" "pass" (func $pass (param i32) (result i32)))
  (func (export "run") (param i32) (result i32) local.get 0 call $pass)
  (func (export "run_and_spin") (param i32) local.get 0 call $pass drop loop $again br $again end)))";

class Async : public testing::Test {
 protected:
  static EngineOptions options() {
    EngineOptions options = small_engine(Stopping::ticks);
    options.pool_instances = 0;
    options.async = true;
    options.stack_bytes = 64u << 10;
    return options;
  }
  std::shared_ptr<const Program> program(BlockingHostFunction function, std::string_view wat = kGuest) {
    const std::vector<HostImport> imports = {{"env", "pass", {{I}, {I}}, nullptr, &gate_, function}};
    return program_of(engine_, wat, imports);
  }
  std::unique_ptr<AsyncCall> start(Instance& instance, std::string_view name,
                                   const CallBudget& budget = {.wall = 20s}) {
    const RawValue arguments[] = {i32(41)};
    return must(AsyncCall::start(instance, name, arguments, budget));
  }
  std::shared_ptr<Engine> engine_ = must(Engine::create(options()));
  Gate gate_;
};

TEST_F(Async, AWaitingGuestGoesOnWhenItsHostFunctionIsReady) {
  auto instance = instance_of(program(&pass));
  auto call = start(*instance, "run");
  EXPECT_FALSE(call->poll());
  EXPECT_FALSE(call->poll());
  EXPECT_EQ(gate_.dropped, 0);
  gate_.open = true;
  EXPECT_TRUE(call->poll());
  ASSERT_EQ(call->results().size(), 1u);
  EXPECT_EQ(call->results()[0].i32, 42);
  const Outcome outcome = call->take_outcome();
  EXPECT_TRUE(outcome.completed()) << outcome.message();
  EXPECT_GT(outcome.usage.ticks, 0u);
  EXPECT_EQ(outcome.usage.host_calls, 1u);
  EXPECT_EQ(gate_.dropped, 1);
}

TEST_F(Async, AFunctionThatNeedNotWaitDoesNotSuspend) {
  auto instance = instance_of(program(&at_once));
  auto call = start(*instance, "run");
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 82);
  auto again = start(*instance, "run");
  EXPECT_TRUE(again->poll());
}

TEST_F(Async, ARefusalEndsTheCall) {
  auto instance = instance_of(program(&refuse));
  auto call = start(*instance, "run");
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "denied: gate: closed for good");
}

TEST_F(Async, AThousandWaitingGuestsHoldNoThread) {
  const auto shared = program(&pass);
  std::vector<std::unique_ptr<Instance>> instances;
  std::vector<std::unique_ptr<AsyncCall>> calls;
  for (int i = 0; i < 1000; ++i) {
    instances.push_back(instance_of(shared));
    calls.push_back(start(*instances.back(), "run"));
    EXPECT_FALSE(calls.back()->poll());
  }
  gate_.open = true;
  int answered = 0;
  for (auto& call : calls) answered += call->poll() && call->results()[0].i32 == 42 ? 1 : 0;
  EXPECT_EQ(answered, 1000);
}

TEST_F(Async, WallTimeCountsWhileWaiting) {
  auto instance = instance_of(program(&pass));
  auto call = start(*instance, "run", {.wall = 1ms});
  while (!call->poll()) std::this_thread::yield();
  EXPECT_EQ(call->take_outcome().message(), "stopped: the wall time limit is used up");
  EXPECT_EQ(gate_.dropped, 1);
}

TEST_F(Async, CpuTimeIsLimitedAfterAWaitToo) {
  auto instance = instance_of(program(&pass));
  auto call = start(*instance, "run_and_spin", {.cpu = 1ms, .wall = 20s});
  EXPECT_FALSE(call->poll());
  gate_.open = true;
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: the CPU time limit is used up");
}

TEST_F(Async, TicksAreLimitedOverTheWholeCall) {
  auto instance = instance_of(program(&pass));
  auto call = start(*instance, "run_and_spin", {.wall = 20s, .ticks = 100'000});
  EXPECT_FALSE(call->poll());
  gate_.open = true;
  EXPECT_TRUE(call->poll());
  const Outcome outcome = call->take_outcome();
  EXPECT_EQ(outcome.message(), "stopped: the tick budget is used up");
  EXPECT_LE(outcome.usage.ticks, 100'000u);
}

TEST_F(Async, CancelEndsAWaitingGuest) {
  auto instance = instance_of(program(&pass));
  StopHandle handle = instance->stop_handle();
  auto call = start(*instance, "run");
  EXPECT_FALSE(call->poll());
  handle.cancel();
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
}

TEST_F(Async, CancelBeforeTheFirstPollEndsAGuestThatOnlyComputes) {
  auto instance = instance_of(program(&at_once));
  auto call = start(*instance, "run_and_spin");
  instance->stop_handle().cancel();
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
}

TEST_F(Async, AnAbandonedCallUnwindsTheGuest) {
  auto instance = instance_of(program(&pass));
  auto call = start(*instance, "run");
  EXPECT_FALSE(call->poll());
  call.reset();
  EXPECT_EQ(gate_.dropped, 1);
  const RawValue arguments[] = {i32(1)};
  EXPECT_FALSE(AsyncCall::start(*instance, "run", arguments, {}));
}

TEST_F(Async, OrdinaryCallsOfSuchAModuleAreRefused) {
  auto instance = instance_of(program(&pass));
  RawValue values[1] = {i32(1)};
  const Outcome outcome = instance->call(must(instance->function("run")), values, {});
  EXPECT_EQ(outcome.message(), "failed: call: the module imports functions that wait; use an asynchronous call");
}

TEST_F(Async, WrongArgumentsAreRefused) {
  auto instance = instance_of(program(&pass));
  const auto call = AsyncCall::start(*instance, "run", {}, {});
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().message, "call: 0 arguments given; \"run\" takes 1");
}

}  // namespace
}  // namespace fusebox::engine
