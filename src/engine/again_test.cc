// Host functions that ask to be called again: the guest waits, its thread does not, and nothing else is different.
#include <atomic>
#include <thread>

#include "engine/async.h"
#include "engine/code_cache.h"
#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

constexpr ValType I = ValType::i32;

// Answers its argument plus one, after it asked `patience` times to be called again.
struct Teller {
  int patience = 0;
  int asked = 0;
  std::vector<std::int32_t> arguments;
};
bool tell(HostContext& context, void*, RawValue* values) {
  auto& teller = *static_cast<Teller*>(context.user());
  ++teller.asked;
  teller.arguments.push_back(values[0].i32);
  if (teller.patience > 0) {
    --teller.patience;
    values[0].i32 = kCallAgain;
  } else {
    ++values[0].i32;
  }
  return true;
}
bool refuse(HostContext& context, void*, RawValue*) {
  context.end(Denied{"teller", "closed for good"});
  return false;
}

constexpr std::string_view kGuest = R"((module
  (import "ask" "tell" (func $tell (param i32) (result i32)))
  (table $t 2 funcref) (elem (i32.const 1) func $tell)
  (type $unary (func (param i32) (result i32)))
  (global $r funcref (ref.func $tell))
  (export "tell" (func $tell))
  (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "run") (param i32) (result i32) (call $twice (call $tell (local.get 0))))
  (func (export "by_table") (param i32) (result i32) (call_indirect $t (type $unary) (local.get 0) (i32.const 1)))
  (func (export "by_reference") (param i32) (result i32)
    (table.set $t (i32.const 0) (global.get $r))
    (call_indirect $t (type $unary) (local.get 0) (i32.const 0)))
  (func $fails (export "fails") (param i32) (result i32) (drop (call $tell (local.get 0))) unreachable)
  (func (export "spin") (param i32) (result i32) (drop (call $tell (local.get 0))) (loop $l (br $l)) unreachable)))";

class Again : public testing::TestWithParam<Stopping> {
 protected:
  static EngineOptions options(Stopping stopping, std::uint32_t pool_instances = 8) {
    EngineOptions options = small_engine(stopping, Profile::fast, pool_instances);
    options.async = true;
    options.stack_bytes = 64u << 10;
    options.may_ask_again = {"ask"};
    return options;
  }
  std::shared_ptr<const Program> program(std::string_view wat = kGuest, HostFunction function = &tell) {
    return program_of(engine_, wat, imports(function));
  }
  static std::vector<HostImport> imports(HostFunction function = &tell) {
    return {{.module = "ask", .field = "tell", .type = {{I}, {I}}, .function = function, .may_ask_again = true}};
  }
  std::unique_ptr<Instance> instance(std::string_view wat = kGuest) { return instance_of(program(wat), {}, &teller_); }
  static std::unique_ptr<AsyncCall> start(Instance& instance, std::string_view name,
                                          const CallBudget& budget = {.wall = 20s}) {
    const RawValue arguments[] = {i32(20)};
    return must(AsyncCall::start(instance, name, arguments, budget));
  }
  std::shared_ptr<Engine> engine_ = must(Engine::create(options(GetParam())));
  Teller teller_;
};

TEST_P(Again, AnAnswerAtOnceDoesNotSuspend) {
  auto guest = instance();
  auto call = start(*guest, "run");
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 42);
  EXPECT_EQ(teller_.asked, 1);
}

TEST_P(Again, OnePollIsOneMoreCallWithTheSameArguments) {
  auto guest = instance();
  teller_.patience = 3;
  auto call = start(*guest, "run");
  for (int asked = 1; asked <= 3; ++asked) {
    EXPECT_FALSE(call->poll());
    EXPECT_EQ(teller_.asked, asked);
  }
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 42);
  EXPECT_EQ(teller_.arguments, (std::vector<std::int32_t>{20, 20, 20, 20}));
  const Outcome outcome = call->take_outcome();
  EXPECT_TRUE(outcome.completed());
  EXPECT_EQ(outcome.usage.host_calls, 1u) << "however often it is tried, it is one call";
}

TEST_P(Again, EveryWayToTheFunctionWaits) {
  for (const char* name : {"by_table", "by_reference"}) {
    auto guest = instance();
    teller_.patience = 1;
    auto call = start(*guest, name);
    EXPECT_FALSE(call->poll()) << name;
    EXPECT_TRUE(call->poll()) << name;
    EXPECT_EQ(call->results()[0].i32, 21) << name;
  }
}

TEST_P(Again, AReexportedImportWaitsToo) {
  auto guest = instance();
  teller_.patience = 1;
  auto call = start(*guest, "tell");
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 21);
}

TEST_P(Again, AModuleThatHasNothingOfItsOwnCanWait) {
  auto guest = instance(R"((module (import "ask" "tell" (func $f (param i32) (result i32))) (export "f" (func $f))))");
  teller_.patience = 1;
  auto call = start(*guest, "f");
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 21);
}

// Function 127 becomes 128: its number no longer fits where it stood.
TEST_P(Again, CallsWhoseNumberGrowsAByteStillGoWhereTheyShould) {
  std::string text = R"((module (import "ask" "tell" (func $tell (param i32) (result i32))))";
  for (int i = 1; i <= 129; ++i) {
    text += "(func $f" + std::to_string(i) + " (param i32) (result i32) (i32.add (i32.const 1) (call $f" +
            std::to_string(i + 1) + " (local.get 0))))";
  }
  text += R"((func $f130 (param i32) (result i32) (if (i32.eqz (local.get 0)) (then unreachable))
      (call $tell (local.get 0)))
    (func (export "run") (param i32) (result i32) (call $f1 (local.get 0)))))";
  auto guest = instance(text);
  teller_.patience = 1;
  auto call = start(*guest, "run");
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 20 + 1 + 129);
  const RawValue zero[] = {i32(0)};
  auto failing = must(AsyncCall::start(*guest, "run", zero, {.wall = 20s}));
  EXPECT_TRUE(failing->poll());
  const Outcome outcome = failing->take_outcome();
  const auto* trap = trapped(outcome);
  ASSERT_NE(trap, nullptr);
  ASSERT_GE(trap->backtrace.size(), 20u);
  for (std::uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(trap->backtrace[i].function_index, 130 - i);
    EXPECT_EQ(trap->backtrace[i].function, "f" + std::to_string(130 - i));
  }
}

TEST_P(Again, WaitingCostsNoTicks) {
  std::vector<std::uint64_t> ticks;
  for (const int patience : {0, 5}) {
    auto guest = instance();
    teller_.patience = patience;
    auto call = start(*guest, "run");
    while (!call->poll()) {
    }
    ticks.push_back(call->take_outcome().usage.ticks);
  }
  EXPECT_EQ(ticks[0], ticks[1]);
  EXPECT_EQ(ticks[0], GetParam() == Stopping::ticks ? 6u : 0u);
}

TEST_P(Again, ABacktraceNamesTheGuestsOwnFunctionsOnly) {
  auto guest = instance();
  teller_.patience = 1;
  auto call = start(*guest, "fails");
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  const Outcome outcome = call->take_outcome();
  const auto* trap = trapped(outcome);
  ASSERT_NE(trap, nullptr) << outcome.message();
  ASSERT_EQ(trap->backtrace.size(), 1u);
  EXPECT_EQ(trap->backtrace[0].function, "fails");
  const auto info = must(inspect(test::wat(kGuest)));
  EXPECT_EQ(trap->backtrace[0].function_index, info.find_export("fails")->index);
}

TEST_P(Again, ARefusalHasTheBacktraceOfItsCaller) {
  auto guest = instance_of(program_of(engine_, kGuest, imports([](HostContext& context, void*, RawValue*) {
                                        context.trap("no");
                                        return false;
                                      })));
  auto call = start(*guest, "fails");
  EXPECT_TRUE(call->poll());
  const Outcome outcome = call->take_outcome();
  const auto* trap = trapped(outcome);
  ASSERT_NE(trap, nullptr) << outcome.message();
  ASSERT_EQ(trap->backtrace.size(), 1u);
  EXPECT_EQ(trap->backtrace[0].function, "fails");
}

TEST_P(Again, ADenialEndsTheCall) {
  auto guest = instance_of(program(kGuest, &refuse));
  auto call = start(*guest, "run");
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "denied: teller: closed for good");
}

TEST_P(Again, CancelEndsTheWaitWithoutAnotherCall) {
  auto guest = instance();
  teller_.patience = 1000;
  StopHandle handle = guest->stop_handle();
  auto call = start(*guest, "run");
  EXPECT_FALSE(call->poll());
  handle.cancel();
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
  EXPECT_EQ(teller_.asked, 1);
}

TEST_P(Again, WallTimeCountsWhileWaiting) {
  auto guest = instance();
  teller_.patience = std::numeric_limits<int>::max();
  auto call = start(*guest, "run", {.wall = 1ms});
  while (!call->poll()) std::this_thread::yield();
  EXPECT_EQ(call->take_outcome().message(), "stopped: the wall time limit is used up");
}

TEST_P(Again, CpuTimeIsLimitedAfterAWait) {
  auto guest = instance();
  teller_.patience = 1;
  auto call = start(*guest, "spin", {.cpu = 1ms, .wall = 20s});
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: the CPU time limit is used up");
}

TEST_P(Again, OrdinaryCallsOfSuchAModuleAreRefused) {
  auto guest = instance();
  RawValue values[1] = {i32(1)};
  EXPECT_EQ(guest->call(must(guest->function("run")), values, {}).message(),
            "failed: call: the module imports functions that wait; use an asynchronous call");
}

constexpr std::string_view kStarts = R"((module
  (import "ask" "tell" (func $tell (param i32) (result i32)))
  (global $seen (mut i32) (i32.const 0))
  (func $start (global.set $seen (call $tell (i32.const 6))))
  (start $start)
  (func (export "seen") (result i32) (global.get $seen))))";

TEST_P(Again, TheStartFunctionWaitsInTheFirstCall) {
  teller_.patience = 2;
  auto guest = instance(kStarts);
  EXPECT_EQ(teller_.asked, 0) << "creation leaves it to the first call";
  auto call = must(AsyncCall::start(*guest, "seen", {}, {.wall = 20s}));
  EXPECT_FALSE(call->poll());
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 7);
  auto second = must(AsyncCall::start(*guest, "seen", {}, {.wall = 20s}));
  EXPECT_TRUE(second->poll());
  EXPECT_EQ(second->results()[0].i32, 7);
  EXPECT_EQ(teller_.asked, 3) << "it runs once";
}

TEST_P(Again, AStartFunctionThatFailsEndsTheCall) {
  auto guest = instance_of(program(kStarts, &refuse));
  auto call = must(AsyncCall::start(*guest, "seen", {}, {.wall = 20s}));
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "denied: teller: closed for good");
  EXPECT_FALSE(AsyncCall::start(*guest, "seen", {}, {}));
}

TEST_P(Again, AStartFunctionCanBeCancelledWhileItWaits) {
  teller_.patience = 1000;
  auto guest = instance(kStarts);
  auto call = must(AsyncCall::start(*guest, "seen", {}, {.wall = 20s}));
  EXPECT_FALSE(call->poll());
  guest->stop_handle().cancel();
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
}

TEST_P(Again, TheUsersImportCannotBeTakenForThePasss) {
  const auto code = must(Code::compile(engine_, test::wat(R"((module
      (import "ask" "tell" (func (param i32) (result i32))) (import "fusebox:wait" "wait" (func))))")));
  const auto linked = Program::link(code, imports());
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().message,
            "import fusebox:wait.wait: unknown function of type () -> (); Fusebox offers nothing of that name here");
}

TEST_P(Again, AFunctionThatCannotAskIsRefusedBehindAWrapper) {
  auto offers = imports();
  offers[0].may_ask_again = false;
  const auto linked = Program::link(must(Code::compile(engine_, test::wat(kGuest))), offers);
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().message,
            "import ask.tell: this engine lets it ask to be called again; offer it with may_ask_again");
}

TEST_P(Again, SingleFunctionsCanBeNamed) {
  EngineOptions named = options(GetParam());
  for (const auto& [which, waits] : std::vector<std::pair<std::string, bool>>{
           {"ask.tell", true}, {"ask.tel", false}, {"ask.tell2", false}, {"as", false}, {"asks", false}}) {
    named.may_ask_again = {which};
    engine_ = must(Engine::create(named));
    auto offers = imports();
    offers[0].may_ask_again = false;
    const auto linked = Program::link(must(Code::compile(engine_, test::wat(kGuest))), offers);
    EXPECT_EQ(linked.has_value(), !waits) << which;
  }
}

TEST_P(Again, ProgramsKeepWhatTheirFunctionsNeed) {
  auto env = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = env;
  auto offers = imports([](HostContext&, void* raw, RawValue* values) {
    ++*static_cast<int*>(raw);
    values[0].i32 = 1;
    return true;
  });
  offers[0].env = env.get();
  offers[0].keep = std::move(env);
  auto guest = instance_of(program_of(engine_, kGuest, offers));
  offers.clear();
  auto call = start(*guest, "run");
  EXPECT_TRUE(call->poll());
  ASSERT_FALSE(watched.expired());
  EXPECT_EQ(*watched.lock(), 1);
  call.reset();
  guest.reset();
  EXPECT_TRUE(watched.expired());
}

TEST_P(Again, OnlyAFunctionWithOneI32CanAsk) {
  const std::vector<HostImport> offers = {
      {.module = "other", .field = "f", .type = {{}, {}}, .function = &tell, .may_ask_again = true}};
  const auto linked =
      Program::link(must(Code::compile(engine_, test::wat(R"((module (import "other" "f" (func))))"))), offers);
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().message,
            "import other.f: only a function that does not block, with one i32 as result, may ask to be called again");
}

TEST_P(Again, AskingWhereNobodyUnderstandsIsAFailure) {
  EngineOptions plain = small_engine(GetParam());
  const auto engine = must(Engine::create(plain));
  auto guest = instance_of(program_of(engine, kGuest, imports()), {}, &teller_);
  RawValue values[1] = {i32(20)};
  EXPECT_TRUE(guest->call(must(guest->function("run")), values, {}).completed());
  EXPECT_EQ(values[0].i32, 42);
  teller_.patience = 1;
  values[0] = i32(20);
  EXPECT_EQ(guest->call(must(guest->function("run")), values, {}).message(),
            "trapped: host function failed: host function ask.tell asked to be called again, which only asynchronous "
            "calls of "
            "modules compiled for it can do");
}

TEST_P(Again, SuspendedCallsMoveBetweenThreadsAndKeepTheirLimits) {
  teller_.patience = 5;
  auto guest = instance();
  auto call = start(*guest, "spin", {.cpu = 2ms, .wall = 20s});
  for (int i = 0; i < 5; ++i) {
    bool ended = true;
    std::thread([&] { ended = call->poll(); }).join();
    EXPECT_FALSE(ended);
  }
  bool ended = false;
  std::thread([&] { ended = call->poll(); }).join();
  EXPECT_TRUE(ended);
  EXPECT_EQ(call->take_outcome().message(), "stopped: the CPU time limit is used up");
}

TEST_P(Again, CancelReachesAComputingGuestOnWhateverThreadItIs) {
  teller_.patience = 1;
  auto guest = instance();
  StopHandle handle = guest->stop_handle();
  auto call = start(*guest, "spin");
  EXPECT_FALSE(call->poll());
  std::thread other([&] { EXPECT_TRUE(call->poll()); });
  handle.cancel();
  other.join();
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
}

TEST_P(Again, ASuspendedCallCanBeDroppedOnAnotherThread) {
  teller_.patience = 1000;
  for (int i = 0; i < 20; ++i) {
    auto guest = instance();
    auto call = start(*guest, "run");
    EXPECT_FALSE(call->poll());
    std::thread([call = std::move(call), guest = std::move(guest)]() mutable {
      call.reset();
      EXPECT_FALSE(AsyncCall::start(*guest, "run", std::vector<RawValue>{i32(1)}, {}));
      guest.reset();
    }).join();
  }
  auto guest = instance();
  teller_.patience = 0;
  auto call = start(*guest, "run");
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 42);
}

TEST_P(Again, ThreadsMakeAndRunInstancesAtTheSameTime) {
  const auto shared = program();
  std::atomic<int> right = 0;
  const auto work = [&] {
    for (int i = 0; i < 100; ++i) {
      Teller own;
      own.patience = i % 3;
      auto guest = instance_of(shared, {}, &own);
      auto call = start(*guest, "run");
      while (!call->poll()) {
      }
      right += call->results()[0].i32 == 42 ? 1 : 0;
    }
  };
  std::thread threads[] = {std::thread(work), std::thread(work), std::thread(work), std::thread(work)};
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

TEST_P(Again, CodeFromACacheWaitsAsWell) {
  const auto code = must(Code::compile(engine_, test::wat(kGuest)));
  const auto again = must(Code::deserialize(engine_, must(code->serialize())));
  auto guest = instance_of(must(Program::link(again, imports())), {}, &teller_);
  teller_.patience = 1;
  auto call = start(*guest, "run");
  EXPECT_FALSE(call->poll());
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->results()[0].i32, 42);
}

TEST_P(Again, CodeKnowsForWhichModulesItWasMade) {
  EngineOptions other = options(GetParam());
  other.may_ask_again = {"ask", "other"};
  const auto engine = must(Engine::create(other));
  EXPECT_NE(engine->code_identity(), engine_->code_identity());
  const auto code = must(Code::compile(engine_, test::wat(kGuest)));
  const auto loaded = Code::deserialize(engine, must(code->serialize()));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, base::Errc::stale);
}

INSTANTIATE_TEST_SUITE_P(Stopping, Again, testing::Values(Stopping::time, Stopping::ticks),
                         [](const auto& test) { return test.param == Stopping::time ? "Time" : "Ticks"; });

TEST(AgainOptions, NeedFibersAndThePass) {
  for (const bool async : {false, true}) {
    for (const Stopping stopping : {Stopping::time, Stopping::ticks, Stopping::epoch, Stopping::none}) {
      EngineOptions options = small_engine(stopping);
      options.async = async;
      options.may_ask_again = {"ask"};
      const auto engine = Engine::create(options);
      const bool metered = stopping == Stopping::time || stopping == Stopping::ticks;
      EXPECT_EQ(engine.has_value(), async && metered);
      if (!engine) {
        EXPECT_EQ(engine.error().message,
                  "engine: may_ask_again needs async = true, and stopping = time or ticks: the pass puts the wait in");
      }
    }
  }
}

}  // namespace
}  // namespace fusebox::engine
