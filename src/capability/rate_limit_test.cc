#include "capability/rate_limit.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

using base::Nanos;
using std::chrono::milliseconds;
using std::chrono::seconds;

int taken_at(RateLimit& limit, Nanos now, int tries = 100) {
  int taken = 0;
  for (int i = 0; i < tries; ++i) taken += limit.take(now) ? 1 : 0;
  return taken;
}

TEST(RateLimit, GivesAsManyAtOnceAsASecondHolds) {
  RateLimit limit(5);
  EXPECT_EQ(taken_at(limit, Nanos{0}), 5);
  EXPECT_EQ(taken_at(limit, milliseconds(199)), 0);
  EXPECT_EQ(taken_at(limit, milliseconds(200)), 1);
  EXPECT_EQ(taken_at(limit, milliseconds(1199)), 4);
  EXPECT_EQ(taken_at(limit, seconds(60)), 5);
}

TEST(RateLimit, NeverGivesMoreThanTheRateWhenASecondDoesNotDivide) {
  RateLimit limit(3);
  EXPECT_EQ(taken_at(limit, seconds(1)), 3);
  int taken = 0;
  for (int ms = 1001; ms <= 11'000; ++ms) taken += taken_at(limit, milliseconds(ms));
  EXPECT_EQ(taken, 29);
}

TEST(RateLimit, ZeroIsOff) {
  RateLimit limit(0);
  EXPECT_EQ(taken_at(limit, Nanos{0}, 1000), 1000);
}

}  // namespace
}  // namespace fusebox::capability
