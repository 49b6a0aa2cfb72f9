// Time and tick limits: every phase, both sources of stops, and accounts that stay exact whatever stops the guest.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <random>
#include <thread>

#include "engine/host_time.h"
#include "engine/stop_slot.h"
#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

struct Way {
  const char* name;
  Stopping stopping;
  StopSource source;
};

class Stop : public testing::TestWithParam<Way> {
 protected:
  static EngineOptions options() {
    EngineOptions options = small_engine(GetParam().stopping);
    options.stop_source = GetParam().source;
    return options;
  }
  static void expect_stopped(const Outcome& outcome, Limit limit) {
    ASSERT_NE(stopped(outcome), nullptr) << outcome.message();
    EXPECT_EQ(stopped(outcome)->limit, limit) << outcome.message();
  }
  std::shared_ptr<Engine> engine_ = must(Engine::create(options()));
};

#if defined(FUSEBOX_TSAN)
const Way kWays[] = {{"time_watcher", Stopping::time, StopSource::watcher},
                     {"ticks_watcher", Stopping::ticks, StopSource::watcher},
                     {"epoch_watcher", Stopping::epoch, StopSource::watcher}};
#else
const Way kWays[] = {
    {"time_timer", Stopping::time, StopSource::timer},       {"ticks_timer", Stopping::ticks, StopSource::timer},
    {"epoch_timer", Stopping::epoch, StopSource::timer},     {"time_watcher", Stopping::time, StopSource::watcher},
    {"ticks_watcher", Stopping::ticks, StopSource::watcher}, {"epoch_watcher", Stopping::epoch, StopSource::watcher}};
#endif
INSTANTIATE_TEST_SUITE_P(Ways, Stop, testing::ValuesIn(kWays), [](const auto& way) { return way.param.name; });

constexpr std::string_view kSpin = R"((module (memory (export "memory") 1)
  (func $spin (export "spin") loop $again br $again end)
  (func $ping (export "recurse_wide") (param i32) local.get 0 if local.get 0 i32.const 1 i32.sub call $ping
    local.get 0 i32.const 1 i32.sub call $ping end)
  (func (export "fill") loop $again i32.const 0 i32.const 1 i32.const 65536 memory.fill br $again end)
  (func (export "quick") (result i32) i32.const 5)))";

TEST_P(Stop, ALoopEndsAtItsCpuLimit) {
  auto instance = instance_of(program_of(engine_, kSpin));
  const Called called = call(*instance, "spin", {}, {.cpu = 2ms});
  expect_stopped(called.outcome, Limit::cpu_time);
  EXPECT_EQ(called.outcome.message(), "stopped: the CPU time limit is used up");
  EXPECT_GE(called.outcome.usage.cpu_us, 1'900u);  // never early; the thread's clock and the timer's differ a little
  ASSERT_FALSE(stopped(called.outcome)->backtrace.empty());
  EXPECT_EQ(stopped(called.outcome)->backtrace[0].function, "spin");
}

TEST_P(Stop, ALoopEndsAtItsWallLimit) {
  auto instance = instance_of(program_of(engine_, kSpin));
  expect_stopped(call(*instance, "spin", {}, {.cpu = 60s, .wall = 2ms}).outcome, Limit::wall_time);
}

// The reading may be of any clock, and may go back: it decides how often the engine reads its own, not how long a call lasts.
TEST_P(Stop, ALimitLastsAsLongFromACallersReading) {
  const auto program = program_of(engine_, kSpin);
  auto quick = instance_of(program);
  const std::int64_t offsets[] = {0, 1'000'000'000'000'000, -1'000'000, 7'000};
  for (const std::int64_t offset : offsets) {
    SCOPED_TRACE(offset);
    const auto limits = [&] {
      return CallBudget{.cpu = 2ms, .wall = {}, .ticks = 0, .read_ns = monotonic_ns() + offset};
    };
    for (int i = 0; i < 50; ++i) EXPECT_EQ(call(*quick, "quick", {}, limits()).values[0].i32, 5);
    auto spinning = instance_of(program);
    const Called called = call(*spinning, "spin", {}, limits());
    expect_stopped(called.outcome, Limit::cpu_time);
    EXPECT_GE(called.outcome.usage.cpu_us, 1'900u);
  }
}

TEST_P(Stop, RecursionWithoutALoopEnds) {
  auto instance = instance_of(program_of(engine_, kSpin));
  expect_stopped(call(*instance, "recurse_wide", {i32(200)}, {.cpu = 2ms}).outcome, Limit::cpu_time);
}

TEST_P(Stop, BulkMemoryInALoopEnds) {
  auto instance = instance_of(program_of(engine_, kSpin));
  expect_stopped(call(*instance, "fill", {}, {.cpu = 2ms}).outcome, Limit::cpu_time);
}

TEST_P(Stop, TheStartFunctionIsUnderTheSameLimit) {
  const auto program = program_of(engine_, R"((module (func $start loop $again br $again end) (start $start)))");
  Instance::Started started = must(Instance::create(program, {}, nullptr, {.cpu = 2ms}));
  EXPECT_EQ(started.instance, nullptr);
  expect_stopped(started.outcome, Limit::cpu_time);
}

TEST_P(Stop, ATrapInTheStartFunctionIsATrap) {
  Instance::Started started =
      must(Instance::create(program_of(engine_, R"((module (func $s unreachable) (start $s)))"), {}, nullptr, {}));
  EXPECT_EQ(started.instance, nullptr);
  ASSERT_NE(trapped(started.outcome), nullptr) << started.outcome.message();
  EXPECT_EQ(trapped(started.outcome)->kind, TrapKind::unreachable);
}

TEST_P(Stop, ShortCallsAfterALongLimitAndShortLimitsAfterLongOnes) {
  const auto program = program_of(engine_, kSpin);
  auto quick = instance_of(program);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    EXPECT_EQ(call(*quick, "quick", {}, {.cpu = 30s, .wall = 60s}).values[0].i32, 5);
    auto spinning = instance_of(program);
    expect_stopped(call(*spinning, "spin", {}, {.cpu = std::chrono::microseconds(100 + 50 * round)}).outcome,
                   Limit::cpu_time);
  }
}

TEST_P(Stop, NothingRunsAfterAStop) {
  auto instance = instance_of(program_of(engine_, kSpin));
  expect_stopped(call(*instance, "spin", {}, {.wall = 1ms}).outcome, Limit::wall_time);
  EXPECT_EQ(call(*instance, "quick").outcome.kind(), "failed");
}

TEST_P(Stop, AGuestIsStoppedWhenItsHostFunctionOverranTheWallLimit) {
  const HostFunction wait = [](HostContext& c, void*, RawValue*) {
    EXPECT_LE(c.wall_left(), 3ms);
    while (!c.stop_requested()) std::this_thread::yield();
    EXPECT_EQ(c.wall_left(), 0ns);
    return true;
  };
  const std::vector<HostImport> imports = {{"env", "wait", {{}, {}}, wait, nullptr}};
  auto instance =
      instance_of(program_of(engine_, R"((module (import "env" "wait" (func $wait)) (memory (export "memory") 1)
    (func (export "run") call $wait i32.const 0 i32.const 1 i32.store8)))",
                             imports));
  expect_stopped(call(*instance, "run", {}, {.wall = 3ms}).outcome, Limit::wall_time);
  EXPECT_EQ(instance->memory()[0], std::byte{0});  // no guest instruction ran after the call
}

TEST_P(Stop, TimeInHostFunctionsIsNotTheGuestsCpuTime) {
  const HostFunction work = [](HostContext& c, void* clock, RawValue*) {
    const HostTime time(c, *static_cast<HostTime::Clock*>(clock));
    const auto end = std::chrono::steady_clock::now() + 6ms;
    while (std::chrono::steady_clock::now() < end) {
    }
    return true;
  };
  for (HostTime::Clock clock : {HostTime::Clock::monotonic, HostTime::Clock::thread_cpu}) {
    const std::vector<HostImport> imports = {{"env", "work", {{}, {}}, work, &clock}};
    const auto program = program_of(engine_, R"((module (import "env" "work" (func $work))
      (func (export "run") call $work) (func (export "run_and_spin") call $work loop $again br $again end)))",
                                    imports);
    auto instance = instance_of(program);
    const Called called = call(*instance, "run", {}, {.cpu = 2ms, .wall = 30s});
    EXPECT_TRUE(called.outcome.completed()) << called.outcome.message();
    EXPECT_LT(called.outcome.usage.cpu_us, 2'000u);
    expect_stopped(call(*instance, "run_and_spin", {}, {.cpu = 2ms, .wall = 30s}).outcome, Limit::cpu_time);
  }
}

TEST_P(Stop, AnOuterCallsWallLimitEndsTheInnerCall) {
  auto inner = instance_of(program_of(engine_, kSpin));
  std::string how;
  struct Env {
    Instance* inner;
    std::string* how;
  } shared{inner.get(), &how};
  const HostFunction nested = [](HostContext&, void* raw, RawValue*) {
    auto& env = *static_cast<Env*>(raw);
    *env.how = call(*env.inner, "spin", {}, {.wall = 60s}).outcome.message();
    return true;
  };
  const std::vector<HostImport> imports = {{"env", "nested", {{}, {}}, nested, &shared}};
  auto outer = instance_of(
      program_of(engine_, R"((module (import "env" "nested" (func $n)) (func (export "run") call $n)))", imports));
  expect_stopped(call(*outer, "run", {}, {.wall = 3ms}).outcome, Limit::wall_time);
  EXPECT_EQ(how, "stopped: the wall time limit is used up");
}

TEST_P(Stop, AnInnerStopLeavesTheOuterCallRunning) {
  auto inner = instance_of(program_of(engine_, kSpin));
  const HostFunction nested = [](HostContext&, void* raw, RawValue* v) {
    v[0].i32 = call(*static_cast<Instance*>(raw), "spin", {}, {.cpu = 1ms}).outcome.kind() == "stopped" ? 1 : 0;
    return true;
  };
  const std::vector<HostImport> imports = {{"env", "nested", {{}, {ValType::i32}}, nested, inner.get()}};
  auto outer = instance_of(program_of(engine_, R"((module (import "env" "nested" (func $n (result i32)))
    (func (export "run") (result i32) call $n)))",
                                      imports));
  const Called called = call(*outer, "run", {}, {.cpu = 10s, .wall = 30s});
  EXPECT_TRUE(called.outcome.completed()) << called.outcome.message();
  EXPECT_EQ(called.values[0].i32, 1);
}

TEST_P(Stop, ThreadsAndEnginesDoNotDisturbEachOther) {
  const auto other = must(Engine::create(options()));
  const std::shared_ptr<const Program> programs[] = {program_of(engine_, kSpin), program_of(other, kSpin)};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 10; ++round) {
        auto instance = instance_of(programs[(t + round) % 2]);
        const bool spins = (t + round) % 3 == 0;
        const Called called = call(*instance, spins ? "spin" : "quick", {}, {.cpu = spins ? 500us : 20s, .wall = 60s});
        if (called.outcome.kind() != (spins ? "stopped" : "completed")) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_P(Stop, CancelEndsASpinningCall) {
  const auto program = program_of(engine_, kSpin);
  for (int round = 0; round < 20; ++round) {
    auto instance = instance_of(program);
    StopHandle handle = instance->stop_handle();
    std::thread canceller([handle]() mutable { handle.cancel(); });
    const Called called = call(*instance, "spin", {}, {.wall = 60s});
    canceller.join();
    expect_stopped(called.outcome, Limit::cancelled);
    EXPECT_EQ(called.outcome.message(), "stopped: cancelled");
  }
}

// The signals of a cancel are queued, and each is handled before the guest goes on: one that comes with every call of
// cancel() would keep a guest of low priority from ever reaching its end.
TEST_P(Stop, AFloodOfCancelsDoesNotPutOffTheEnd) {
  const auto program = program_of(engine_, kSpin);
  auto instance = instance_of(program);
  StopHandle handle = instance->stop_handle();  // before the call: it is the instance's own
  std::atomic<bool> ended{false};
  std::optional<Outcome> outcome;
  std::thread guest([&] {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
    outcome = call(*instance, "spin", {}, {.wall = 60s}).outcome;
    ended = true;
  });
  clockid_t guest_clock{};
  ASSERT_EQ(::pthread_getcpuclockid(guest.native_handle(), &guest_clock), 0);
  std::vector<std::thread> flood;
  for (int i = 0; i < 4; ++i) {
    flood.emplace_back([handle, &ended, guest_clock]() mutable {
      while (!ended && read_clock(guest_clock) < 5'000'000) std::this_thread::yield();  // until it spins
      while (!ended) handle.cancel();
    });
  }
  guest.join();
  for (std::thread& one : flood) one.join();
  expect_stopped(*outcome, Limit::cancelled);
}

TEST_P(Stop, CancelEndsASpinningStartFunction) {
  const auto program = program_of(engine_, R"((module (func $start loop $again br $again end) (start $start)))");
  std::thread canceller;
  const Instance::Started started =
      must(Instance::create(program, {}, nullptr, {.wall = 60s}, [&canceller](Instance& instance) {
        canceller = std::thread([handle = instance.stop_handle()]() mutable { handle.cancel(); });
      }));
  canceller.join();
  EXPECT_EQ(started.instance, nullptr);
  expect_stopped(started.outcome, Limit::cancelled);
}

TEST_P(Stop, CancelWithoutACallEndsTheNextOne) {
  auto instance = instance_of(program_of(engine_, kSpin));
  instance->stop_handle().cancel();
  expect_stopped(call(*instance, "quick").outcome, Limit::cancelled);
}

TEST_P(Stop, CancelRacesWithTheEndOfInstanceAndThread) {
  const auto program = program_of(engine_, kSpin);
  for (int round = 0; round < 50; ++round) {
    std::optional<StopHandle> handle;
    std::thread runner([&] {
      auto instance = instance_of(program);
      handle = instance->stop_handle();
      StopHandle copy = *handle;
      std::thread canceller([copy]() mutable { copy.cancel(); });
      const Outcome outcome = call(*instance, "quick", {}, {.wall = 60s}).outcome;
      EXPECT_TRUE(outcome.completed() || outcome.kind() == "stopped") << outcome.message();
      instance.reset();
      canceller.join();
    });
    runner.join();
    handle->cancel();  // thread and instance are gone
  }
}

TEST_P(Stop, CancelReachesAHostFunction) {
  const HostFunction wait = [](HostContext& c, void*, RawValue*) {
    while (!c.stop_requested()) std::this_thread::yield();
    return true;
  };
  const std::vector<HostImport> imports = {{"env", "wait", {{}, {}}, wait, nullptr}};
  auto instance = instance_of(
      program_of(engine_, R"((module (import "env" "wait" (func $w)) (func (export "run") call $w)))", imports));
  StopHandle handle = instance->stop_handle();
  std::thread canceller([handle]() mutable { handle.cancel(); });
  expect_stopped(call(*instance, "run", {}, {.wall = 60s}).outcome, Limit::cancelled);
  canceller.join();
}

class Ticks : public testing::TestWithParam<StopSource> {
 protected:
  std::shared_ptr<Engine> engine_ = [] {
    EngineOptions options = small_engine(Stopping::ticks);
    options.stop_source = GetParam();
    return must(Engine::create(options));
  }();
};
#if defined(FUSEBOX_TSAN)
INSTANTIATE_TEST_SUITE_P(Sources, Ticks, testing::Values(StopSource::watcher));
#else
INSTANTIATE_TEST_SUITE_P(Sources, Ticks, testing::Values(StopSource::timer, StopSource::watcher));
#endif

// Counts its rounds in memory, so that what was done can be compared with what was charged.
constexpr std::string_view kCounting = R"((module (memory (export "memory") 1)
  (func $once (param i64) i32.const 0 local.get 0 i64.store)
  (func (export "run") (param i64) (local i64)
    loop $again
      local.get 1 i64.const 1 i64.add local.tee 1 call $once
      local.get 1 local.get 0 i64.lt_u br_if $again
    end)))";

struct Counted {
  std::int64_t rounds;
  std::int64_t ticks;
  Outcome outcome;
};

Counted run_counting(const std::shared_ptr<const Program>& program, std::int64_t rounds, const CallBudget& budget) {
  auto instance = instance_of(program);
  RawValue values[1] = {};
  values[0].i64 = rounds;
  Outcome outcome = instance->call(must(instance->function("run")), values, budget);
  std::int64_t done = 0;
  std::memcpy(&done, instance->memory().data(), sizeof done);
  return {done, instance->ticks_spent(), std::move(outcome)};
}

TEST_P(Ticks, DependOnTheWorkAlone) {
  const auto program = program_of(engine_, kCounting);
  const Counted ten = run_counting(program, 10, {});
  const Counted thousand = run_counting(program, 1000, {});
  EXPECT_EQ(run_counting(program, 1000, {.cpu = 10s, .wall = 20s}).ticks, thousand.ticks);
  const std::int64_t per_round = (thousand.ticks - ten.ticks) / 990;
  EXPECT_EQ(ten.ticks + 990 * per_round, thousand.ticks);
  EXPECT_EQ(thousand.outcome.usage.ticks, static_cast<std::uint64_t>(thousand.ticks));
}

TEST_P(Ticks, TheBudgetIsExactOnBothSides) {
  const auto program = program_of(engine_, kCounting);
  const Counted whole = run_counting(program, 1000, {});
  EXPECT_TRUE(run_counting(program, 1000, {.ticks = whole.ticks}).outcome.completed());
  const Counted short_by_one = run_counting(program, 1000, {.ticks = whole.ticks - 1});
  ASSERT_NE(stopped(short_by_one.outcome), nullptr) << short_by_one.outcome.message();
  EXPECT_EQ(stopped(short_by_one.outcome)->limit, Limit::ticks);
  EXPECT_LE(short_by_one.ticks, whole.ticks - 1);
}

// Whatever number of rounds was done when the guest was stopped, it was charged what an undisturbed run of as many is.
TEST_P(Ticks, StayExactWhenTimeStopsTheGuest) {
  const auto program = program_of(engine_, kCounting);
  const Counted ten = run_counting(program, 10, {});
  const std::int64_t per_round = (run_counting(program, 1000, {}).ticks - ten.ticks) / 990;
  std::minstd_rand random(20261121);
  for (int round = 0; round < 60; ++round) {
    const auto wall = std::chrono::microseconds(20 + random() % 900);
    const Counted run = run_counting(program, std::int64_t{1} << 50, {.wall = wall});
    ASSERT_NE(stopped(run.outcome), nullptr) << run.outcome.message();
    EXPECT_EQ(stopped(run.outcome)->limit, Limit::wall_time);
    const std::int64_t before_first = ten.ticks - 10 * per_round;
    // The stop falls between two checks: the round under way may be charged in part.
    const std::int64_t charged = run.ticks - before_first;
    EXPECT_GE(charged, run.rounds * per_round - per_round) << run.rounds;
    EXPECT_LE(charged, (run.rounds + 1) * per_round) << run.rounds;
  }
}

TEST_P(Ticks, ATickLimitHoldsWhileTimersFire) {
  const auto program = program_of(engine_, kCounting);
  const Counted whole = run_counting(program, 300'000, {});
  for (int round = 0; round < 10; ++round) {
    const Counted run = run_counting(program, std::int64_t{1} << 50, {.cpu = 20s, .wall = 20s, .ticks = whole.ticks});
    ASSERT_NE(stopped(run.outcome), nullptr) << run.outcome.message();
    EXPECT_EQ(stopped(run.outcome)->limit, Limit::ticks);
    EXPECT_EQ(run.rounds, 300'000);
  }
}

TEST(TickBudget, NeedsAnEngineThatCounts) {
  const auto engine = must(Engine::create(small_engine(Stopping::time)));
  auto instance = instance_of(program_of(engine, kSpin));
  const Called called = call(*instance, "quick", {}, {.ticks = 5});
  ASSERT_NE(failed(called.outcome), nullptr);
  EXPECT_EQ(called.outcome.message(), "failed: call: a tick budget needs an engine with stopping = ticks");
}

}  // namespace
}  // namespace fusebox::engine
