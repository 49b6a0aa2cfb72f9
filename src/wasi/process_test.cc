// Rows 1-6, 39-42: arguments, environment, clocks, chance, and ends.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;
using namespace std::chrono_literals;

class Calls : public Guest {};

TEST_F(Calls, ArgumentsAndEnvironmentArriveInOrder) {
  ProcessOptions options;
  options.args = {"inst", "--verbose", ""};
  options.envs = {"B=2", "A=1", "no equals"};
  start(std::move(options));
  ASSERT_EQ(call("args_sizes_get", {kOut, kOut + 4}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 3u);
  EXPECT_EQ(get<std::uint32_t>(kOut + 4), 5u + 10 + 1);
  ASSERT_EQ(call("args_get", {kOut, kText}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), kText);
  EXPECT_EQ(get<std::uint32_t>(kOut + 4), kText + 5);
  EXPECT_EQ(get<std::uint32_t>(kOut + 8), kText + 15);
  EXPECT_EQ(text(kText, 16), std::string("inst\0--verbose\0\0", 16));
  ASSERT_EQ(call("environ_sizes_get", {kOut, kOut + 4}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 3u);
  EXPECT_EQ(get<std::uint32_t>(kOut + 4), 18u);
  ASSERT_EQ(call("environ_get", {kOut, kText}), Errno::success);
  EXPECT_EQ(text(kText, 18), std::string("B=2\0A=1\0no equals\0", 18));
}

TEST_F(Calls, ListsMustFitWhereTheyAreAskedFor) {
  ProcessOptions options;
  options.args = {"abc", "d"};
  start(std::move(options));
  EXPECT_EQ(call("args_get", {kMemoryBytes - 8, kText}), Errno::success);
  EXPECT_EQ(call("args_get", {kMemoryBytes - 7, kText}), Errno::fault);
  EXPECT_EQ(call("args_get", {kOut, kMemoryBytes - 6}), Errno::success);
  put<std::uint32_t>(kOut, 77);
  EXPECT_EQ(call("args_get", {kOut, kMemoryBytes - 5}), Errno::fault);
  EXPECT_EQ(get<std::uint32_t>(kOut), 77u) << "checked before any effect";
  EXPECT_EQ(call("args_sizes_get", {kMemoryBytes - 4, kOut}), Errno::success);
  EXPECT_EQ(call("args_sizes_get", {kMemoryBytes - 3, kOut}), Errno::fault);
  EXPECT_EQ(call("environ_sizes_get", {kOut, kMemoryBytes - 3}), Errno::fault);
  EXPECT_EQ(call("environ_get", {kMemoryBytes, kMemoryBytes}), Errno::success) << "an empty list needs no room";
  EXPECT_EQ(call("environ_get", {kMemoryBytes + 1, kOut}), Errno::fault);
}

TEST_F(Calls, OffsetZeroIsMemoryLikeAnyOther) {
  EXPECT_EQ(call("args_sizes_get", {0, 4}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(0), 0u);
  EXPECT_EQ(call("clock_time_get", {0, 0, 0}), Errno::success);
  EXPECT_EQ(get<std::uint64_t>(0), 1'000'000'000'000u);
}

TEST_F(Calls, ThereAreFourClocks) {
  ProcessOptions options;
  options.cpu_time = [](void* of) { return *static_cast<base::Nanos*>(of); };
  base::Nanos cpu = 42ns;
  options.cpu_time_of = &cpu;
  start(std::move(options));
  clock_.advance(5s);
  const std::uint64_t want[] = {1'005'000'000'000u, 5'000'000'000u, 42u, 42u};
  for (std::uint32_t id = 0; id < 4; ++id) {
    EXPECT_EQ(call("clock_time_get", {id, 1'000'000, kOut}), Errno::success);
    EXPECT_EQ(get<std::uint64_t>(kOut), want[id]);
    EXPECT_EQ(call("clock_res_get", {id, kOut}), Errno::success);
    EXPECT_EQ(get<std::uint64_t>(kOut), 1u);
  }
  for (const std::int64_t id : {4, -1}) {
    EXPECT_EQ(call("clock_time_get", {id, 0, kOut}), Errno::inval);
    EXPECT_EQ(call("clock_res_get", {id, kOut}), Errno::inval);
  }
  EXPECT_EQ(call("clock_time_get", {0, 0, kMemoryBytes - 8}), Errno::success);
  EXPECT_EQ(call("clock_time_get", {0, 0, kMemoryBytes - 7}), Errno::fault);
  EXPECT_EQ(call("clock_res_get", {0, kMemoryBytes - 8}), Errno::success);
  EXPECT_EQ(call("clock_res_get", {0, kMemoryBytes - 7}), Errno::fault);
}

TEST_F(Calls, WithoutAnotherCpuClockItIsTheThreads) {
  clock_.advance(3ns);
  EXPECT_EQ(call("clock_time_get", {2, 0, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint64_t>(kOut), 3u);
}

TEST_F(Calls, ExitEndsTheRunWithAnyCode) {
  for (const std::int32_t code : {0, 1, 255, -1, INT32_MIN}) {
    start({});
    EXPECT_FALSE(process_->exit_code());
    auto ending = begin("proc_exit", {code});
    EXPECT_TRUE(ending->poll());
    const auto outcome = ending->take_outcome();
    const auto* exited = std::get_if<engine::Exited>(&outcome.how);
    ASSERT_NE(exited, nullptr) << outcome.message();
    EXPECT_EQ(exited->code, code);
    EXPECT_EQ(process_->exit_code(), code);
  }
}

TEST_F(Calls, RaiseEndsTheRunWithTheSignal) {
  EXPECT_EQ(call("proc_raise", {0}), Errno::success);
  EXPECT_FALSE(process_->raised());
  EXPECT_EQ(call("proc_raise", {31}), Errno::inval);
  EXPECT_EQ(end_of("proc_raise", {30}), "trapped: host function failed: the module raised signal 30");
  EXPECT_EQ(process_->raised(), 30);
}

TEST_F(Calls, YieldWaitsForAMomentThatHasCome) {
  clock_.advance(7ns);
  for (int i = 0; i < 2; ++i) {
    auto yielding = begin("sched_yield", {});
    EXPECT_FALSE(yielding->poll());
    EXPECT_EQ(process_->waits().deadline(), 7ns);
    EXPECT_EQ(answer(*yielding), Errno::success);
  }
}

TEST_F(Calls, RandomBytesFillExactlyTheirPlace) {
  base::SeededRandom same(1);
  std::array<std::byte, 100'000> want{};
  same.fill(std::span(want).first(65536));
  same.fill(std::span(want).subspan(65536));
  put<std::uint8_t>(0, 0xaa);
  put<std::uint8_t>(100'001, 0xbb);
  EXPECT_EQ(call("random_get", {1, 100'000}), Errno::success);
  EXPECT_EQ(std::memcmp(memory().data() + 1, want.data(), want.size()), 0);
  EXPECT_EQ(get<std::uint8_t>(0), 0xaa);
  EXPECT_EQ(get<std::uint8_t>(100'001), 0xbb);
  EXPECT_EQ(call("random_get", {kMemoryBytes, 0}), Errno::success);
  EXPECT_EQ(call("random_get", {kMemoryBytes - 1, 1}), Errno::success);
  EXPECT_EQ(call("random_get", {kMemoryBytes - 1, 2}), Errno::fault);
  EXPECT_EQ(call("random_get", {kMemoryBytes + 1, 0}), Errno::fault);
  EXPECT_EQ(call("random_get", {1, -1}), Errno::fault);
}

TEST_F(Calls, ARunStoppedDuringRandomGetRunsNoMore) {
  class Stopping final : public base::Random {
   public:
    explicit Stopping(engine::StopHandle handle) : handle_(std::move(handle)) {}
    void fill(std::span<std::byte>) override {
      ++pieces;
      handle_.cancel();
    }
    int pieces = 0;

   private:
    engine::StopHandle handle_;
  };
  std::unique_ptr<Stopping> random;
  ProcessOptions options;
  start({});
  random = std::make_unique<Stopping>(instance_->stop_handle());
  ProcessOptions own;
  own.clock = &clock_;
  own.random = random.get();
  Process process(std::move(own));
  auto instance = engine::instance_of(everything_program(), {}, &process);
  *random = Stopping(instance->stop_handle());
  const RawValue arguments[] = {engine::i32(0), engine::i32(131072)};
  auto call = engine::must(AsyncCall::start(*instance, "random_get", arguments, {}));
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
  EXPECT_EQ(random->pieces, 1);
}

}  // namespace
}  // namespace fusebox::wasi
