#include "http/loop.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/wait.h"
#include "http/deadline.h"

namespace fusebox::http {
namespace {

using namespace std::chrono_literals;

class LoopTest : public ::testing::Test {
 protected:
  base::Nanos now() const { return clock_.monotonic(); }
  base::RealClock clock_;
  Loop loop_{clock_};
};

TEST_F(LoopTest, RunsPostedWorkInOrderAlsoFromOtherThreads) {
  std::vector<int> ran;
  loop_.post([&] { ran.push_back(1); });
  std::thread other([&] {
    loop_.post([&] { ran.push_back(2); });
    loop_.post([&] { loop_.stop(); });
  });
  loop_.run();
  other.join();
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

TEST_F(LoopTest, FiresTimersInOrderAndNotInsideTheCall) {
  std::string ran;
  const base::Nanos start = now();
  loop_.post([&] {
    loop_.post_at(start + 20ms, [&] { ran += "c"; });
    loop_.post_at(start + 5ms, [&] { ran += "b"; });
    loop_.post_at(start - 5ms, [&] { ran += "a"; });
    const auto cancelled = loop_.post_at(start + 1ms, [&] { ran += "x"; });
    loop_.cancel(cancelled);
    loop_.cancel(cancelled);
    EXPECT_EQ(ran, "");
  });
  loop_.run_until([&] { return ran.size() == 3; });
  EXPECT_EQ(ran, "abc");
  EXPECT_GE(now() - start, 20ms);
}

TEST_F(LoopTest, ATimerMayCancelAnotherThatIsDueAsWell) {
  std::string ran;
  base::Executor::TimerId second = 0;
  bool over = false;
  loop_.post_at(now(), [&] {
    ran += "a";
    loop_.cancel(second);
  });
  second = loop_.post_at(now(), [&] { ran += "b"; });
  loop_.post_at(now() + 1ms, [&] { over = true; });
  loop_.run_until([&] { return over; });
  EXPECT_EQ(ran, "a");
}

TEST_F(LoopTest, StopsBeforeItRunsAndRunsAgain) {
  loop_.stop();
  loop_.run();
  bool ran = false;
  loop_.post([&] { ran = true; });
  loop_.run_until([&] { return ran; });
  EXPECT_TRUE(ran);
}

TEST_F(LoopTest, DestroysWorkThatNeverRan) {
  const auto owned = std::make_shared<int>(1);
  {
    Loop other(clock_);
    other.post([owned] {});
    other.post_at(now() + 1h, [owned] {});
    EXPECT_EQ(owned.use_count(), 3);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(LoopTest, ManyTimersCostNoAlarmEach) {
  int fired = 0;
  const base::Nanos start = now();
  for (int i = 0; i < 100'000; ++i) {
    const auto timer = loop_.post_at(start + 1h, [&] { ++fired; });
    if (i % 10 != 0) loop_.cancel(timer);
  }
  bool over = false;
  loop_.post_at(start, [&] { over = true; });
  loop_.run_until([&] { return over; });
  EXPECT_EQ(fired, 0);
}

TEST(Deadline, FiresOnceWhereItWasLastSet) {
  base::ManualClock clock;
  base::ManualExecutor executor(clock);
  int fired = 0;
  Deadline deadline(executor, [&] { ++fired; });
  deadline.set_after(10ms);
  executor.run_for(9ms);
  deadline.set_after(10ms);  // later: the timer stays and looks again
  executor.run_for(9ms);
  EXPECT_EQ(fired, 0);
  executor.run_for(1ms);
  EXPECT_EQ(fired, 1);
  executor.run_for(1s);
  EXPECT_EQ(fired, 1);
  deadline.set_after(100ms);
  deadline.set_after(5ms);  // earlier
  executor.run_for(5ms);
  EXPECT_EQ(fired, 2);
  deadline.set_after(5ms);
  deadline.clear();
  executor.run_for(1s);
  EXPECT_EQ(fired, 2);
  deadline.set_after(1ms);
  executor.run_for(1ms);
  EXPECT_EQ(fired, 3);
}

TEST(Deadline, NeverFiresAfterItsEnd) {
  base::ManualClock clock;
  base::ManualExecutor executor(clock);
  int fired = 0;
  {
    Deadline deadline(executor, [&] { ++fired; });
    deadline.set_after(1ms);
  }
  executor.run_for(1s);
  EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace fusebox::http
