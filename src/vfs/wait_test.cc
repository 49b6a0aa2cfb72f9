#include "vfs/wait.h"

#include <gtest/gtest.h>

#include <thread>

namespace fusebox::vfs {
namespace {

class Counter final : public Waker {
 public:
  void wake() noexcept override { count.fetch_add(1); }
  std::atomic<int> count{0};
};

TEST(WakeList, WakesWhoeverWaitsAtEachChange) {
  WakeList list;
  Counter one, two;
  ASSERT_TRUE(list.add(one, list.version()));
  ASSERT_TRUE(list.add(two, list.version()));
  list.changed();
  EXPECT_EQ(one.count, 1);
  list.remove(one);
  list.remove(one);  // nothing to do
  list.changed();
  EXPECT_EQ(one.count, 1);
  EXPECT_EQ(two.count, 2);
  list.remove(two);
}

TEST(WakeList, RefusesWhoeverMissedAChange) {
  WakeList list;
  Counter waker;
  const auto seen = list.version();
  list.changed();
  EXPECT_FALSE(list.add(waker, seen));
  list.changed();
  EXPECT_EQ(waker.count, 0);
  EXPECT_TRUE(list.add(waker, list.version()));
  list.remove(waker);
}

// Whoever adds itself either is told that it missed a change, or is woken by it.
TEST(WakeList, NoChangeIsForgotten) {
  constexpr int kRounds = 20'000;
  WakeList list;
  std::atomic<int> asked{0}, changed{0};
  std::thread changer([&] {
    for (int i = 1; i <= kRounds; ++i) {
      while (asked.load() < i) std::this_thread::yield();
      list.changed();
      changed.store(i);
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    Counter waker;
    const auto seen = list.version();
    asked.store(i);
    const bool added = list.add(waker, seen);
    while (changed.load() < i) std::this_thread::yield();
    EXPECT_NE(added, waker.count == 0) << i;
    list.remove(waker);
  }
  changer.join();
}

TEST(WaitSet, HoldsTheEarliestDeadlineAndEverythingElse) {
  WaitSet waits;
  EXPECT_EQ(waits.deadline(), WaitSet::kNever);
  waits.until(base::Nanos(5));
  waits.until(base::Nanos(9));
  EXPECT_EQ(waits.deadline(), base::Nanos(5));
  waits.changed(std::make_shared<WakeList>(), 3);
  waits.host_ready(7, 1);
  EXPECT_EQ(waits.changes().size(), 1u);
  EXPECT_EQ(waits.ready()[0].host_fd, 7);
  waits.clear();
  EXPECT_EQ(waits.deadline(), WaitSet::kNever);
  EXPECT_TRUE(waits.changes().empty() && waits.ready().empty());
}

}  // namespace
}  // namespace fusebox::vfs
