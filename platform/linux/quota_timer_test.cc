#include "platform/linux/quota_timer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace fusebox::platform {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kSoonUs = 200;
constexpr std::uint32_t kNeverInThisTestUs = 4'000'000'000;
constexpr auto kPatience = 20s;  // only ever waited out by a failing test

// What the callback, which has no context, writes to. One test at a time.
struct Seen {
  std::mutex mutex;
  std::vector<fuse_module_id_t> ids;
  std::vector<Clock::time_point> times;
  std::function<void(fuse_module_id_t)> then;
  std::atomic<int> count{0};
};
Seen* seen = nullptr;

void note(fuse_module_id_t id) {
  const std::lock_guard lock(seen->mutex);
  seen->ids.push_back(id);
  seen->times.push_back(Clock::now());
  if (seen->then) seen->then(id);
  ++seen->count;
}

class QuotaTimerTest : public ::testing::Test {
 protected:
  QuotaTimerTest() {
    seen = &seen_;
    timer_ = QuotaTimer::create(&note);
  }
  ~QuotaTimerTest() override { timer_.reset(); }
  bool wait_for(int count) const {
    const auto until = Clock::now() + kPatience;
    while (seen_.count < count && Clock::now() < until) std::this_thread::yield();
    return seen_.count >= count;
  }
  // A deadline behind all others: what was armed before it has expired, or never will.
  void let_time_pass() {
    const int before = seen_.count;
    timer_->arm(kModuleIdsMax - 1, kSoonUs * 10);
    ASSERT_TRUE(wait_for(before + 1));
  }

  Seen seen_;
  std::unique_ptr<QuotaTimer> timer_;
};

TEST_F(QuotaTimerTest, ExpiresOnceAndNeverEarly) {
  const auto start = Clock::now();
  timer_->arm(3, kSoonUs);
  ASSERT_TRUE(wait_for(1));
  EXPECT_GE(seen_.times[0] - start, std::chrono::microseconds(kSoonUs));
  let_time_pass();
  EXPECT_EQ(seen_.ids, (std::vector<fuse_module_id_t>{3, kModuleIdsMax - 1}));
}

TEST_F(QuotaTimerTest, CancelledDeadlinesDoNotExpire) {
  timer_->arm(3, kSoonUs);
  timer_->cancel(3);
  timer_->arm(4, kSoonUs);
  timer_->arm(4, 0);
  let_time_pass();
  EXPECT_EQ(seen_.ids, std::vector<fuse_module_id_t>{kModuleIdsMax - 1});
}

TEST_F(QuotaTimerTest, CancellingWhatIsNotArmedIsHarmless) {
  timer_->cancel(0);
  timer_->cancel(kModuleIdsMax - 1);
  timer_->cancel(kModuleIdsMax);
  timer_->cancel(FUSE_INVALID_MODULE_ID);
  timer_->arm(7, kSoonUs);
  EXPECT_TRUE(wait_for(1));
}

TEST_F(QuotaTimerTest, IdsNoRuntimeCanHaveAreIgnored) {
  timer_->arm(kModuleIdsMax, 1);
  timer_->arm(FUSE_INVALID_MODULE_ID, 1);
  let_time_pass();
  EXPECT_EQ(seen_.ids, std::vector<fuse_module_id_t>{kModuleIdsMax - 1});
}

TEST_F(QuotaTimerTest, ArmingAgainReplaces) {
  timer_->arm(1, kNeverInThisTestUs);
  timer_->arm(1, kSoonUs);  // nearer: the sleeping thread must notice
  ASSERT_TRUE(wait_for(1));
  timer_->arm(2, kSoonUs);
  timer_->arm(2, kNeverInThisTestUs);  // farther: its first deadline passes without effect
  let_time_pass();
  EXPECT_EQ(seen_.ids, (std::vector<fuse_module_id_t>{1, kModuleIdsMax - 1}));
}

TEST_F(QuotaTimerTest, ExpireInOrderOfTheirDeadlines) {
  timer_->arm(1, kSoonUs * 90);
  timer_->arm(2, kSoonUs * 30);
  timer_->arm(3, kSoonUs * 60);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(seen_.ids, (std::vector<fuse_module_id_t>{2, 3, 1}));
}

TEST_F(QuotaTimerTest, KeepsADeadlineForEveryIdThereIs) {
  for (fuse_module_id_t id = 0; id < kModuleIdsMax; ++id) timer_->arm(id, kNeverInThisTestUs);
  for (fuse_module_id_t id = 0; id < kModuleIdsMax; id += 2) timer_->cancel(id);
  for (fuse_module_id_t id = 1; id < kModuleIdsMax; id += 2) timer_->arm(id, kSoonUs);
  ASSERT_TRUE(wait_for(kModuleIdsMax / 2));
  std::vector<bool> expired(kModuleIdsMax);
  for (const fuse_module_id_t id : seen_.ids) {
    EXPECT_EQ(id % 2, 1u);
    EXPECT_FALSE(expired[id]) << id;
    expired[id] = true;
  }
}

TEST_F(QuotaTimerTest, TheCallbackMayArmAndCancel) {
  seen_.then = [this](fuse_module_id_t id) {
    if (id != 1) return;
    timer_->cancel(1);  // itself
    timer_->arm(2, 1);
    timer_->cancel(2);
    timer_->arm(3, kSoonUs);
  };
  timer_->arm(1, kSoonUs);
  ASSERT_TRUE(wait_for(2));
  let_time_pass();
  EXPECT_EQ(seen_.ids, (std::vector<fuse_module_id_t>{1, 3, kModuleIdsMax - 1}));
}

// Whatever the moment: what was cancelled is not reported once cancel() returned.
TEST_F(QuotaTimerTest, NothingIsReportedAfterCancelReturned) {
  constexpr int kTurns = 3000;
  std::atomic<bool> armed{false};
  std::atomic<int> strays{0};
  seen_.then = [&](fuse_module_id_t) {
    if (!armed) ++strays;
  };
  for (int turn = 0; turn < kTurns; ++turn) {
    armed = true;
    timer_->arm(0, 1 + static_cast<std::uint32_t>(turn % 97));
    const auto until = Clock::now() + std::chrono::microseconds(turn % 89);
    while (Clock::now() < until) {
    }
    timer_->cancel(0);
    armed = false;
  }
  EXPECT_EQ(strays, 0);
  EXPECT_GT(seen_.count, 0) << "no deadline came before its cancel: the test tried nothing";
}

TEST_F(QuotaTimerTest, ManyThreadsEachWithAModuleOfItsOwn) {
  constexpr int kThreads = 4;
  constexpr int kTurns = 200;
  std::array<std::atomic<int>, kThreads> expired{};
  seen_.then = [&](fuse_module_id_t id) { ++expired[id]; };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, id = static_cast<fuse_module_id_t>(i)] {
      for (int turn = 1; turn <= kTurns; ++turn) {
        timer_->arm(id, 1);
        const auto until = Clock::now() + kPatience;
        while (expired[id] < turn && Clock::now() < until) std::this_thread::yield();
        timer_->cancel(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::atomic<int>& count : expired) EXPECT_EQ(count, kTurns);
}

TEST(QuotaTimer, GoesWithDeadlinesStillArmed) {
  Seen none;
  seen = &none;
  auto timer = QuotaTimer::create(&note);
  timer->arm(0, kNeverInThisTestUs);
  timer.reset();
  EXPECT_EQ(none.count, 0);
}

}  // namespace
}  // namespace fusebox::platform
