#include "host/common/fence.h"

#include <gtest/gtest.h>

namespace fusebox::host {
namespace {

using namespace std::chrono_literals;

TEST(Fence, AdmitsEqualAndHigherGenerations) {
  Fence fence;
  EXPECT_TRUE(fence.admit("a", 3, 0s));
  EXPECT_TRUE(fence.admit("a", 3, 0s));
  EXPECT_TRUE(fence.admit("a", 0, 0s));
  EXPECT_TRUE(fence.admit("a", 4, 0s));
  const auto stale = fence.admit("a", 3, 0s);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, base::Errc::stale);
  EXPECT_EQ(stale.error().message, "stale generation 3: 4 has been seen of a");
  EXPECT_EQ(fence.highest("a"), 4u);
  EXPECT_EQ(fence.highest("b"), 0u);
}

TEST(Fence, RemembersTheDeadForSevenDays) {
  Fence fence;
  fence.live("a", 5);
  fence.gone("a", 1s);
  EXPECT_FALSE(fence.admit("a", 4, kTombstoneKept));
  fence.forget_old(1s + kTombstoneKept - 1ns);
  EXPECT_EQ(fence.highest("a"), 5u);
  fence.forget_old(1s + kTombstoneKept);
  EXPECT_EQ(fence.highest("a"), 0u);
  EXPECT_TRUE(fence.admit("a", 1, 0s));
}

TEST(Fence, ANameThatLivesAgainKeepsItsGeneration) {
  Fence fence;
  fence.live("a", 5);
  fence.gone("a", 1s);
  fence.live("a", 6);
  fence.forget_old(30 * 24h);
  EXPECT_EQ(fence.highest("a"), 6u);
  fence.gone("a", 31 * 24h);
  fence.forget_old(31 * 24h + kTombstoneKept);
  EXPECT_EQ(fence.highest("a"), 0u);
}

TEST(Fence, HoldsABoundedNumberOfTombstones) {
  Fence fence;
  for (std::size_t i = 0; i <= kTombstonesMax; ++i) EXPECT_TRUE(fence.admit("n" + std::to_string(i), 9, 0s));
  EXPECT_EQ(fence.tombstones(), kTombstonesMax);
  EXPECT_EQ(fence.highest("n0"), 0u);  // the oldest went
  EXPECT_EQ(fence.highest("n1"), 9u);
}

}  // namespace
}  // namespace fusebox::host
