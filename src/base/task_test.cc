#include "base/task.h"

#include <gtest/gtest.h>

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
