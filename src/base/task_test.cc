#include "base/task.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "base/wait.h"

namespace fusebox::base {
namespace {

using std::chrono::milliseconds;

struct TaskTest : ::testing::Test {
  ManualClock clock;
  ManualExecutor executor{clock};
};

Task<int> seven() {
  co_return 7;
}
Task<int> sum_of_sevens(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await seven();
  co_return sum;
}

TEST_F(TaskTest, NothingRunsBeforeItIsAwaited) {
  bool ran = false;
  const auto work = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  Task<void> task = work(ran);
  EXPECT_FALSE(ran);
  spawn(executor, std::move(task));
  EXPECT_FALSE(ran);
  executor.run();
  EXPECT_TRUE(ran);
}

TEST_F(TaskTest, ALongLoopOverTasksThatEndAtOnceNeedsNoStack) {
  Task<int> task = sum_of_sevens(1'000'000);
  task.start();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 7'000'000);
}

TEST_F(TaskTest, SleepersWakeInOrderOfTheirDeadlines) {
  std::string order;
  const auto sleeper = [](Executor& on, milliseconds span, char name, std::string& into) -> Task<void> {
    co_await sleep_for(on, span);
    into += name;
  };
  spawn(executor, sleeper(executor, milliseconds{30}, 'c', order));
  spawn(executor, sleeper(executor, milliseconds{10}, 'a', order));
  spawn(executor, sleeper(executor, milliseconds{20}, 'b', order));
  executor.run_for(milliseconds{15});
  EXPECT_EQ(order, "a");
  executor.run_for(milliseconds{15});
  EXPECT_EQ(order, "abc");
}

TEST_F(TaskTest, ACancelledTimerDoesNotFire) {
  bool fired = false;
  const auto timer = executor.post_at(executor.clock().monotonic() + milliseconds{1}, [&] { fired = true; });
  executor.cancel(timer);
  executor.cancel(timer);
  executor.run_for(milliseconds{10});
  EXPECT_FALSE(fired);
}

TEST_F(TaskTest, ACompletionFromAnotherThreadResumesOnTheExecutor) {
  Completion<int> value;
  std::thread::id resumed;
  int seen = 0;
  const auto waiter = [](Completion<int> from, Executor& on, int& out, std::thread::id& where) -> Task<void> {
    out = co_await from.wait(on);
    where = std::this_thread::get_id();
  };
  spawn(executor, waiter(value, executor, seen, resumed));
  executor.run();
  EXPECT_EQ(seen, 0);
  std::thread([value] { EXPECT_TRUE(value.set(5)); }).join();
  EXPECT_FALSE(value.set(6));
  executor.run();
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(resumed, std::this_thread::get_id());
}

TEST_F(TaskTest, ACompletionSetBeforeItIsAwaitedIsNotLost) {
  Completion<std::string> value;
  value.set("early");
  std::string seen;
  const auto waiter = [](Completion<std::string> from, Executor& on, std::string& out) -> Task<void> {
    out = co_await from.wait(on);
  };
  spawn(executor, waiter(value, executor, seen));
  executor.run();
  EXPECT_EQ(seen, "early");
}

// A thread of its own. After each post the poster dawdles, so that what was posted overtakes it.
class DawdlingExecutor final : public Executor {
 public:
  DawdlingExecutor() : thread_([this] { run(); }) {}
  ~DawdlingExecutor() override { stop(); }
  void post(Work work) override {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(work));
    }
    wake_.notify_one();
    for (int count = 0; count < 100; ++count) std::this_thread::yield();
  }
  TimerId post_at(Nanos /*monotonic*/, Work /*work*/) override { return 0; }
  void cancel(TimerId /*timer*/) noexcept override {}
  const Clock& clock() const noexcept override { return clock_; }
  std::thread::id thread() const noexcept { return thread_.get_id(); }
  void stop() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  void run() {
    while (true) {
      Work work;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopped_ || !posted_.empty(); });
        if (posted_.empty()) return;
        work = std::move(posted_.front());
        posted_.pop_front();
      }
      work();
    }
  }
  RealClock clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> posted_;
  bool stopped_ = false;
  std::thread thread_;
};

Task<int> moved_to(DawdlingExecutor& there) {
  co_await resume_on(there);
  co_return 1;
}
Task<int> moved_within(DawdlingExecutor& there) {
  const int one = co_await moved_to(there);
  co_return one;
}

// Once, a task that ended on another thread before its awaiter had suspended went on on the wrong one, or never.
TEST_F(TaskTest, WhoeverAwaitsATaskThatMovesGoesOnWhereItEnded) {
  DawdlingExecutor home;
  DawdlingExecutor there;
  constexpr int kRounds = 50;
  int right = 0;
  const auto travel = [](DawdlingExecutor& from, DawdlingExecutor& to, int& correct) -> Task<void> {
    for (int round = 0; round < kRounds; ++round) {
      const int there_now = co_await moved_within(to);
      if (std::this_thread::get_id() == to.thread()) correct += there_now;
      const int back = co_await moved_to(from);
      if (std::this_thread::get_id() == from.thread()) correct += back;
    }
  };
  Completion<bool> ended;
  spawn(home, travel(home, there, right), [ended] { ended.set(true); });
  while (!ended.is_set()) std::this_thread::yield();
  home.stop();
  there.stop();
  EXPECT_EQ(right, 2 * kRounds);
}

TEST_F(TaskTest, PlacesBoundHowManyRunAndKeepTheirOrder) {
  Places places(executor, 2);
  int running = 0;
  int most = 0;
  std::string order;
  const auto worker = [](Places& from, Executor& on, char name, int& now, int& peak, std::string& into) -> Task<void> {
    const auto place = co_await from.take();
    peak = std::max(peak, ++now);
    into += name;
    co_await sleep_for(on, milliseconds{1});
    --now;
  };
  for (const char name : {'a', 'b', 'c', 'd', 'e'})
    spawn(executor, worker(places, executor, name, running, most, order));
  executor.run_for(milliseconds{10});
  EXPECT_EQ(order, "abcde");
  EXPECT_EQ(most, 2);
  EXPECT_EQ(running, 0);
}

TEST_F(TaskTest, AScopeKnowsWhenAllItsTasksHaveEnded) {
  TaskScope scope(executor);
  bool all = false;
  const auto sleeper = [](Executor& on) -> Task<void> { co_await sleep_for(on, milliseconds{5}); };
  const auto watcher = [](TaskScope& of, bool& flag) -> Task<void> {
    co_await of.all_ended();
    flag = true;
  };
  scope.spawn(sleeper(executor));
  scope.spawn(sleeper(executor));
  spawn(executor, watcher(scope, all));
  executor.run_for(milliseconds{4});
  EXPECT_FALSE(all);
  executor.run_for(milliseconds{2});
  EXPECT_TRUE(all);
}

TEST_F(TaskTest, RunUntilStopsAtTheConditionAndSaysWhenNothingIsLeft) {
  int ticks = 0;
  const auto ticker = [](Executor& on, int& count) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      co_await sleep_for(on, milliseconds{10});
      ++count;
    }
  };
  spawn(executor, ticker(executor, ticks));
  EXPECT_TRUE(executor.run_until([&] { return ticks == 2; }));
  EXPECT_EQ(clock.monotonic(), milliseconds{20});
  EXPECT_FALSE(executor.run_until([&] { return ticks == 9; }));
  EXPECT_EQ(ticks, 3);
}

}  // namespace
}  // namespace fusebox::base
