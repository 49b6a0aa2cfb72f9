#include "engine/pool_places.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace fusebox::engine {
namespace {

TEST(PoolPlaces, ThereAreExactlyAsManyAsWereAskedFor) {
  for (const std::uint32_t places : {0u, 1u, 15u, 16u, 17u, 250u}) {
    PoolPlaces pool(places);
    std::vector<std::uint8_t> taken;
    for (std::uint32_t i = 0; i < places; ++i) {
      taken.push_back(pool.take());
      EXPECT_NE(taken.back(), PoolPlaces::kNone) << i << " of " << places;
    }
    EXPECT_EQ(pool.take(), PoolPlaces::kNone) << places;
    if (taken.empty()) continue;
    pool.give_back(taken.front());
    EXPECT_EQ(pool.take(), taken.front());
    EXPECT_EQ(pool.take(), PoolPlaces::kNone);
  }
}

TEST(PoolPlaces, NoneIsLostBetweenThreads) {
  constexpr std::uint32_t kPlaces = 20;
  PoolPlaces pool(kPlaces);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&pool] {
        for (int round = 0; round < 2000; ++round) {
          const std::uint8_t first = pool.take();
          const std::uint8_t second = pool.take();
          if (first != PoolPlaces::kNone) pool.give_back(first);
          if (second != PoolPlaces::kNone) pool.give_back(second);
        }
      });
    }
  }
  for (std::uint32_t i = 0; i < kPlaces; ++i) EXPECT_NE(pool.take(), PoolPlaces::kNone);
  EXPECT_EQ(pool.take(), PoolPlaces::kNone);
}

}  // namespace
}  // namespace fusebox::engine
