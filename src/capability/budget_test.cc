#include "capability/budget.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

using namespace std::chrono_literals;

policy::Limits limits(std::uint64_t cpu_ms, std::uint64_t wall_ms, std::uint64_t ticks) {
  policy::Limits made;
  made.cpu_ms = cpu_ms;
  made.wall_ms = wall_ms;
  made.ticks = ticks;
  return made;
}

TEST(BudgetAccount, GivesEachCallWhatTheEarlierOnesLeft) {
  base::ManualClock clock;
  Budget budget(limits(10, 30, 100), clock);
  EXPECT_EQ(budget.next({}).budget.cpu, 10ms);
  EXPECT_EQ(budget.next({}).budget.wall, 30ms);
  EXPECT_EQ(budget.next({}).budget.ticks, 100);
  clock.advance(4ms);
  budget.add_ticks(60);
  const Budget::Next next = budget.next({});
  EXPECT_EQ(next.used_up, std::nullopt);
  EXPECT_EQ(next.budget.cpu, 6ms);
  EXPECT_EQ(next.budget.wall, 26ms);
  EXPECT_EQ(next.budget.ticks, 40);
}

TEST(BudgetAccount, DoesNotChargeHostFunctionsToTheProcessorBudget) {
  base::ManualClock clock;
  Budget budget(limits(10, 30, 0), clock);
  clock.advance(12ms);
  EXPECT_EQ(budget.next({}).used_up, engine::Limit::cpu_time);
  const Budget::Next next = budget.next(9ms);
  EXPECT_EQ(next.used_up, std::nullopt);
  EXPECT_EQ(next.budget.cpu, 7ms);
  EXPECT_EQ(next.budget.wall, 18ms);
}

TEST(BudgetAccount, NamesTheLimitThatIsUsedUp) {
  base::ManualClock clock;
  Budget ticks(limits(10, 30, 5), clock);
  ticks.add_ticks(4);
  EXPECT_EQ(ticks.next({}).used_up, std::nullopt);
  ticks.add_ticks(1);
  EXPECT_EQ(ticks.next({}).used_up, engine::Limit::ticks);
  Budget wall(limits(100, 30, 0), clock);
  clock.advance(30ms);
  EXPECT_EQ(wall.next({}).used_up, engine::Limit::wall_time);
}

TEST(BudgetAccount, NoTickLimitMeansNone) {
  base::ManualClock clock;
  Budget budget(limits(10, 30, 0), clock);
  budget.add_ticks(1'000'000);
  EXPECT_EQ(budget.next({}).budget.ticks, 0);
  EXPECT_EQ(budget.next({}).used_up, std::nullopt);
}

TEST(BudgetAccount, SubMillisecondLimitsReplaceTheCoarseOnes) {
  base::ManualClock clock;
  policy::Limits fine = limits(10, 30, 0);
  fine.cpu_ns = 1'500;
  fine.wall_ns = 2'500;
  EXPECT_EQ(Budget(fine, clock).next({}).budget.cpu, 1500ns);
  EXPECT_EQ(Budget(fine, clock).next({}).budget.wall, 2500ns);
}

}  // namespace
}  // namespace fusebox::capability
