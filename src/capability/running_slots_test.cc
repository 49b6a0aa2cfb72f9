#include "capability/running_slots.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

ExecutionId id(unsigned char last) {
  ExecutionId made;
  made.bytes[15] = std::byte{last};
  return made;
}

TEST(RunningSlots, AdmitsAsManyAsThereAreAndThenNone) {
  RunningSlots slots(2);
  auto first = slots.claim(id(1));
  auto second = slots.claim(id(2));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(slots.running(), 2u);
  EXPECT_FALSE(slots.claim(id(3)));
  first.reset();
  EXPECT_EQ(slots.running(), 1u);
  EXPECT_TRUE(slots.claim(id(3)));
}

TEST(RunningSlots, CancelReachesTheOneNamed) {
  RunningSlots slots(4);
  auto one = slots.claim(id(1));
  auto two = slots.claim(id(2));
  EXPECT_TRUE(slots.cancel(id(2)));
  EXPECT_FALSE(one->cancelled());
  EXPECT_TRUE(two->cancelled());
  EXPECT_FALSE(slots.cancel(id(9)));
}

TEST(RunningSlots, ASlotForgetsItsCancelWithItsExecution) {
  RunningSlots slots(1);
  {
    auto one = slots.claim(id(1));
    EXPECT_EQ(slots.cancel_all(), 1u);
    EXPECT_TRUE(one->cancelled());
  }
  EXPECT_EQ(slots.cancel_all(), 0u);
  EXPECT_FALSE(slots.cancel(id(1)));
  EXPECT_FALSE(slots.claim(id(2))->cancelled());
}

}  // namespace
}  // namespace fusebox::capability
