// How calls into a guest end, and what they may touch.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "edge/wasm/backend_fixture.h"

namespace fusebox::edge::test {
namespace {

using namespace std::chrono_literals;

constexpr char kSpin[] = R"((module (memory 1)
  (func (export "module_step") (i32.store (i32.const 0) (i32.const 1)) (loop (br 0)))))";
// Says through an import that it runs, and then does not stop.
constexpr char kSayAndSpin[] = R"((module (import "env" "fuse_event_post" (func $post (param i32)))
  (func (export "module_step") (call $post (i32.const 7)) (loop (br 0)))))";

class Calls : public ::testing::Test {
 protected:
  std::unique_ptr<EngineBackend> backend_ = small_backend();
  RecordingSink sink_;
};

TEST_F(Calls, CompletesAndKeepsItsState) {
  const Guest guest(*backend_, R"((module (memory 1) (func (export "module_step")
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))))))",
                    sink_);
  for (int i = 0; i < 3; ++i) {
    const CallResult result = guest.step({});
    EXPECT_EQ(result.end, CallEnd::completed);
    EXPECT_EQ(result.trap, nullptr);
  }
  EXPECT_EQ(guest.peek<int>(8), 3);
}

TEST_F(Calls, EachExportIsItsOwn) {
  const Guest guest(*backend_, R"((module (memory 1)
    (func (export "module_step") (i32.store (i32.const 0) (i32.const 1)))
    (func (export "module_init") (i32.store (i32.const 4) (i32.const 2)))
    (func (export "module_deinit") (i32.store (i32.const 8) (i32.const 3)))))",
                    sink_);
  for (const Export each : {Export::step, Export::init, Export::deinit})
    EXPECT_EQ(backend_->call(guest.instance(), each, kGenerous).end, CallEnd::completed);
  EXPECT_EQ(guest.peek<int>(0), 1);
  EXPECT_EQ(guest.peek<int>(4), 2);
  EXPECT_EQ(guest.peek<int>(8), 3);
}

// ---- traps

struct TrapCase {
  const char* want;
  const char* body;
};
constexpr TrapCase kTraps[] = {
    {kTrapUnreachable, "unreachable"},
    {kTrapMemoryBounds, "(drop (i32.load (i32.const 65533)))"},
    {kTrapMemoryBounds, "(memory.fill (i32.const 65000) (i32.const 0) (i32.const 2000))"},
    {kTrapTableBounds, "(drop (table.get $t (i32.const 4)))"},
    {kTrapTableBounds, "(table.fill $t (i32.const 2) (ref.null func) (i32.const 3))"},
    {kTrapIntegerOverflow, "(drop (i32.div_s (i32.load (i32.const 0)) (i32.const -1)))"},
    {kTrapIntegerOverflow, "(drop (i32.trunc_f32_s (f32.const 1e30)))"},
    {kTrapDivideByZero, "(drop (i32.rem_u (i32.const 1) (i32.load (i32.const 4))))"},
    {kTrapConversion, "(drop (i32.trunc_f64_s (f64.const nan)))"},
    {kTrapCallType, "(call_indirect (type $other) (i32.const 1) (i32.const 0))"},
    {kTrapUndefinedElement, "(call_indirect (type $none) (i32.const 4))"},
    {kTrapUndefinedElement, "(loop (call_indirect (type $none) (i32.const -1)))"},
    {kTrapUninitializedElement, "(call_indirect (type $none) (i32.const 3))"},
    {kTrapStack, "(call $deep)"},
};
TEST_F(Calls, EveryTrapHasItsText) {
  for (const TrapCase& c : kTraps) {
    SCOPED_TRACE(c.body);
    const std::string wat = R"((module (type $none (func)) (type $other (func (param i32)))
      (table $t 4 funcref) (elem (i32.const 0) $none $none) (memory 1) (data (i32.const 0) "\00\00\00\80")
      (func $none) (func $deep (call $deep) (call $none))
      (func (export "module_step") )" +
                            std::string(c.body) + "))";
    const Guest guest(*backend_, wat, sink_);
    ASSERT_EQ(guest.refusal(), Refusal{});
    const CallResult result = guest.step();
    EXPECT_EQ(result.end, CallEnd::trapped);
    EXPECT_STREQ(result.trap, c.want);
  }
}

TEST_F(Calls, DepthIsTheStackOfThePolicy) {
  const std::string wat = R"((module (memory 1) (func $deep
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (call $deep)
      (i32.store (i32.const 4) (i32.const 1)))
    (func (export "module_step") (call $deep))))";
  const auto depth = [&](std::uint32_t stack_bytes) {
    const Guest guest(*backend_, wat, sink_, limits_with(1, stack_bytes));
    EXPECT_STREQ(guest.step().trap, kTrapStack);
    return guest.peek<std::uint32_t>(0);
  };
  const std::uint32_t small = depth(64u << 10);
  const std::uint32_t large = depth(1u << 20);
  EXPECT_GT(small, 100u);
  EXPECT_GT(large, small * 10);
  EXPECT_LT(large, small * 24);
  EXPECT_EQ(depth(60'000), small) << "rounded up to a power of two";
  EXPECT_GT(depth(0), 10u) << "the least there is";
  EXPECT_GT(depth(0xFFFF'FFFF), large) << "the most there is";
}

// ---- imports

TEST_F(Calls, ImportsGetTheirArgumentsAndGiveTheirResults) {
  const Guest guest(*backend_, fusebox::test::wat(R"((module
    (import "env" "temp_get_reading" (func $temp (result f32)))
    (import "env" "timer_get_timestamp" (func $time (result i64)))
    (import "env" "camera_last_frame" (func $frame (param i32 i32) (result i64)))
    (import "env" "module_log_event" (func $log (param i32 i32 i32)))
    (memory 1)
    (func (export "module_step")
      (f32.store (i32.const 0) (call $temp))
      (i64.store (i32.const 8) (call $time))
      (i64.store (i32.const 16) (call $frame (i32.const -2) (i32.const -1)))
      (call $log (i32.const 1) (i32.const 2) (i32.const -3)))))"),
                    limits_with(), sink_, this);
  sink_.answer = [](const ImportRow& row, std::uint64_t* values) -> const char* {
    const std::string_view field = row.field;
    if (field == "temp_get_reading") values[0] = 0x4148'0000;  // 12.5f
    if (field == "timer_get_timestamp") values[0] = 0xFEDC'BA98'7654'3210;
    if (field == "camera_last_frame") values[0] = 0xFFFF'FFFF;
    return nullptr;
  };
  EXPECT_EQ(guest.step().end, CallEnd::completed);
  EXPECT_EQ(guest.peek<float>(0), 12.5f);
  EXPECT_EQ(guest.peek<std::uint64_t>(8), 0xFEDC'BA98'7654'3210);
  EXPECT_EQ(guest.peek<std::uint64_t>(16), 0xFFFF'FFFF);
  ASSERT_EQ(sink_.calls.size(), 4u);
  EXPECT_EQ(sink_.calls[2].values, (std::vector<std::uint64_t>{0xFFFF'FFFE, 0xFFFF'FFFF}));
  EXPECT_EQ(sink_.calls[3].values, (std::vector<std::uint64_t>{1, 2, 0xFFFF'FFFD}));
  for (const Call& call : sink_.calls) EXPECT_EQ(call.owner, this);
}

constexpr char kPost[] = R"((module (import "env" "fuse_event_post" (func $post (param i32))) (memory 1)
  (func (export "module_step") (call $post (i32.const 1)) (i32.store (i32.const 0) (i32.const 1)))))";

TEST_F(Calls, TheSinksTrapEndsTheGuest) {
  const Guest guest(*backend_, kPost, sink_);
  sink_.answer = [](const ImportRow&, std::uint64_t*) { return kTrapPolicy; };
  const CallResult result = guest.step();
  EXPECT_EQ(result.end, CallEnd::trapped);
  EXPECT_EQ(result.trap, kTrapPolicy) << "the very text, not a copy";
  EXPECT_EQ(guest.peek<int>(0), 0) << "no instruction after the call ran";
}

TEST_F(Calls, AnExceptionOfTheSinkEndsTheGuest) {
  const Guest standard(*backend_, kPost, sink_);
  sink_.answer = [](const ImportRow&, std::uint64_t*) -> const char* { throw std::runtime_error("host"); };
  EXPECT_STREQ(standard.step().trap, kTrapHostException);
  const Guest other(*backend_, kPost, sink_);
  sink_.answer = [](const ImportRow&, std::uint64_t*) -> const char* { throw 1; };
  EXPECT_STREQ(other.step().trap, kTrapHostException);
  EXPECT_EQ(other.peek<int>(0), 0);
}

TEST_F(Calls, TheSinkSeesTheGuestsMemory) {
  const Guest guest(*backend_, R"((module (import "env" "module_log_event" (func $log (param i32 i32 i32)))
    (memory 1) (data (i32.const 100) "hello")
    (func (export "module_step")
      (call $log (i32.const 100) (i32.const 5) (i32.const 0))
      (drop (memory.grow (i32.const 1)))
      (call $log (i32.const 100) (i32.const 5) (i32.const 0)))))",
                    sink_);
  std::vector<std::uint64_t> sizes;
  sink_.answer = [&](const ImportRow&, std::uint64_t* values) {
    const MemoryView view = backend_->memory(guest.instance());
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(view.base) + values[0], values[1]), "hello");
    sizes.push_back(view.size);
    return static_cast<const char*>(nullptr);
  };
  EXPECT_EQ(guest.step().end, CallEnd::completed);
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{65536, 131072}));
}

// ---- memory

TEST_F(Calls, MemoryGrowsToItsMaximumAndNotBeyond) {
  const std::string wat = R"((module (memory 2) (func (export "module_step")
    (i32.store (i32.const 0) (memory.grow (i32.const 3))) (i32.store (i32.const 4) (memory.grow (i32.const 1))))))";
  const Guest guest(*backend_, wat, sink_, limits_with(5));
  EXPECT_EQ(backend_->pages(guest.instance()), 2u);
  EXPECT_EQ(guest.step().end, CallEnd::completed);
  EXPECT_EQ(guest.peek<int>(0), 2);
  EXPECT_EQ(guest.peek<int>(4), -1);
  EXPECT_EQ(backend_->pages(guest.instance()), 5u);
  EXPECT_EQ(backend_->pages_peak(guest.instance()), 5u);
}

TEST_F(Calls, TheDeclaredMaximumHoldsAsWell) {
  const Guest guest(*backend_, R"((module (memory 1 2) (func (export "module_step")
    (i32.store (i32.const 0) (memory.grow (i32.const 1))) (i32.store (i32.const 4) (memory.grow (i32.const 1))))))",
                    sink_, limits_with(5));
  EXPECT_EQ(guest.step().end, CallEnd::completed);
  EXPECT_EQ(guest.peek<int>(0), 1);
  EXPECT_EQ(guest.peek<int>(4), -1);
}

TEST_F(Calls, AModuleWithoutMemoryHasNone) {
  const Guest guest(*backend_, R"((module (func (export "module_step"))))", sink_);
  EXPECT_EQ(backend_->memory(guest.instance()).base, nullptr);
  EXPECT_EQ(backend_->memory(guest.instance()).size, 0u);
  EXPECT_EQ(backend_->pages(guest.instance()), 0u);
  EXPECT_EQ(backend_->pages_peak(guest.instance()), 0u);
}

TEST_F(Calls, MemoryIsZeroThenDataHoweverItIsReached) {
  const Guest guest(*backend_, R"((module (memory (export "other_name") 2) (data (i32.const 65536) "\2a")
    (func (export "module_step"))))",
                    sink_);
  const MemoryView view = backend_->memory(guest.instance());
  ASSERT_EQ(view.size, 131072u);
  for (std::uint64_t i = 0; i < view.size; ++i) ASSERT_EQ(view.base[i], i == 65536 ? 0x2a : 0) << i;
}

// ---- ticks and stops

TEST_F(Calls, TicksAreTheSameForTheSameWork) {
  constexpr char kWork[] = R"((module (func (export "module_step") (local i32)
    (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000)))))))";
  const Guest one(*backend_, kWork, sink_);
  const Guest two(*backend_, kWork, sink_);
  const std::uint64_t ticks = one.step().ticks;
  EXPECT_GT(ticks, 1000u);
  EXPECT_EQ(one.step().ticks, ticks);
  EXPECT_EQ(two.step({}).ticks, ticks);
  EXPECT_EQ(two.step({.cpu_us = 1'000'000, .ticks = ticks}).ticks, ticks);
  EXPECT_EQ(two.step({.ticks = ticks}).end, CallEnd::completed) << "a budget that is just enough";
  EXPECT_EQ(two.step({.ticks = ticks - 1}).end, CallEnd::stopped) << "one too few";
}

TEST_F(Calls, ATickBudgetStopsALoop) {
  const Guest guest(*backend_, kSpin, sink_);
  const CallResult result = guest.step({.ticks = 10'000});
  EXPECT_EQ(result.end, CallEnd::stopped);
  EXPECT_EQ(result.trap, nullptr);
  EXPECT_LE(result.ticks, 10'000u);
  EXPECT_EQ(guest.peek<int>(0), 1);
}

TEST_F(Calls, CpuTimeStopsALoop) {
  const Guest guest(*backend_, kSpin, sink_);
  const CallResult result = guest.step({.cpu_us = 1000});
  EXPECT_EQ(result.end, CallEnd::stopped);
  EXPECT_EQ(result.trap, nullptr);
  EXPECT_GT(result.ticks, 0u);
}

TEST_F(Calls, TheTimeOfTheSinkIsTheGuestsTime) {
  const Guest guest(*backend_, kPost, sink_);
  sink_.answer = [](const ImportRow&, std::uint64_t*) -> const char* {
    timespec now;
    const auto spent_us = [&] {
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
      return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
    };
    const auto until = spent_us() + 20'000;
    while (spent_us() < until) {
    }
    return nullptr;
  };
  EXPECT_EQ(guest.step({.cpu_us = 1000}).end, CallEnd::stopped);
  EXPECT_EQ(guest.peek<int>(0), 0) << "stopped before control returned to the guest";
}

// Each operation fills a GiB, most of a second; pieces of it must be enough to be stopped.
TEST_F(Calls, LargeBulkOperationsAreStoppedOnTheirWay) {
  const Guest guest(*backend_, R"((module (memory 1 16384) (func (export "module_step")
    (drop (memory.grow (i32.const 16383)))
    (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x40000000)) (br 0)))))",
                    sink_);
  const CallResult result = guest.step({.cpu_us = 1000});
  EXPECT_EQ(result.end, CallEnd::stopped);
  const MemoryView memory = backend_->memory(guest.instance());
  ASSERT_EQ(memory.size, std::uint64_t{16384} * 65536);
  EXPECT_EQ(memory.base[memory.size - 1], 0) << "the first fill was not finished";
}

struct BulkCase {
  const char* name;
  const char* loop;
};
constexpr BulkCase kBulk[] = {
    {"copy", "(memory.copy (i32.const 0) (i32.const 4000000) (i32.const 4000000))"},
    {"table fill", "(table.fill $t (i32.const 0) (ref.null func) (i32.const 65536))"},
    {"table copy", "(table.copy (i32.const 0) (i32.const 32768) (i32.const 32768))"},
};
TEST_F(Calls, LoopsOfBulkOperationsAreStopped) {
  for (const BulkCase& c : kBulk) {
    SCOPED_TRACE(c.name);
    const Guest guest(*backend_,
                      "(module (memory 128) (table $t 65536 funcref) (func (export \"module_step\") (loop " +
                          std::string(c.loop) + " (br 0))))",
                      sink_);
    ASSERT_EQ(guest.refusal(), Refusal{});
    EXPECT_EQ(guest.step({.cpu_us = 1000}).end, CallEnd::stopped);
  }
}

TEST_F(Calls, AnInterruptBeforeTheCallKeepsTheBodyFromRunning) {
  const Guest guest(*backend_, kSpin, sink_);
  backend_->interrupt(guest.instance());
  EXPECT_EQ(guest.step({}).end, CallEnd::stopped);
  EXPECT_EQ(guest.peek<int>(0), 0);
}

#if !defined(FUSEBOX_TSAN)  // there another thread stops guests, a moment later
TEST_F(Calls, AnInterruptOfTheSinkEndsTheCallBeforeTheGuestGoesOn) {
  const Guest guest(*backend_, kPost, sink_);
  sink_.answer = [&](const ImportRow&, std::uint64_t*) {
    backend_->interrupt(guest.instance());
    return static_cast<const char*>(nullptr);
  };
  EXPECT_EQ(guest.step({}).end, CallEnd::stopped);
  EXPECT_EQ(guest.peek<int>(0), 0);
}
#endif

TEST_F(Calls, AnotherThreadInterrupts) {
  const Guest guest(*backend_, kSayAndSpin, sink_);
  std::atomic<bool> running{false};
  sink_.answer = [&](const ImportRow&, std::uint64_t*) {
    running = true;
    return static_cast<const char*>(nullptr);
  };
  std::thread other([&] {
    while (!running) std::this_thread::yield();
    backend_->interrupt(guest.instance());
  });
  EXPECT_EQ(guest.step({}).end, CallEnd::stopped);
  other.join();
}

struct Target {
  Backend* backend;
  Instance* instance;
};
std::atomic<Target*> signal_target{nullptr};

void interrupt_target(int) {
  if (Target* target = signal_target) target->backend->interrupt(*target->instance);
}

#if !defined(FUSEBOX_TSAN)  // it delivers signals at calls it intercepts only; this guest makes none
TEST_F(Calls, ASignalHandlerOnTheSameThreadInterrupts) {
  const Guest guest(*backend_, kSayAndSpin, sink_);
  Target target{backend_.get(), &guest.instance()};
  signal_target = &target;
  struct sigaction action{};
  action.sa_handler = &interrupt_target;
  ::sigfillset(&action.sa_mask);  // a host may block everything in its handlers
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  std::atomic<bool> running{false};
  sink_.answer = [&](const ImportRow&, std::uint64_t*) {
    running = true;
    return static_cast<const char*>(nullptr);
  };
  const pthread_t stepping = ::pthread_self();
  std::thread other([&] {
    while (!running) std::this_thread::yield();
    ::pthread_kill(stepping, SIGUSR1);
  });
  EXPECT_EQ(guest.step({}).end, CallEnd::stopped);
  other.join();
  signal_target = nullptr;
  ::sigaction(SIGUSR1, &before, nullptr);
}
#endif

TEST_F(Calls, AnInstanceThatWasEndedRunsNoMoreCode) {
  const Guest guest(*backend_, R"((module (memory 1) (func (export "module_step")
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) unreachable)))",
                    sink_);
  EXPECT_EQ(guest.step().end, CallEnd::trapped);
  EXPECT_NE(guest.step().end, CallEnd::completed);
  EXPECT_EQ(guest.peek<int>(0), 1);
}

}  // namespace
}  // namespace fusebox::edge::test
