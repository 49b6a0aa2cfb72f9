#include "fleet/engine/live.h"

#include <gtest/gtest.h>

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;
using Ids = std::vector<std::string>;

constexpr Incarnation kFirst{std::byte{1}};
constexpr Incarnation kSecond{std::byte{2}};
constexpr base::Nanos kStart{seconds{1000}};

TEST(LiveTable, ForgetsWhatNobodyUsesWhenItsStepIsOver) {
  LiveTable table;
  const auto live = table.use("a", kFirst);
  live->activity_step = seconds{30};
  live->activity_written = kStart;
  live->leases = 1;
  table.forget_unused(kStart + seconds{100});
  EXPECT_TRUE(table.is_of("a", kFirst)) << "it is in use";
  live->leases = 0;
  table.forget_unused(kStart + seconds{29});
  EXPECT_TRUE(table.is_of("a", kFirst)) << "or its next use would be written too soon";
  table.forget_unused(kStart + seconds{30});
  EXPECT_FALSE(table.is_of("a", kFirst));
  EXPECT_FALSE(live->ended.stop_requested());
}

TEST(LiveTable, ActivityIsDueOncePerStepAndAfterTheClockWentBack) {
  LiveTable table;
  for (const char* id : {"a", "b", "idle"}) {
    const auto live = table.use(id, kFirst);
    live->activity_step = seconds{id[0] == 'b' ? 5 : 30};
    live->activity_written = kStart;
    live->leases = id == std::string_view("idle") ? 0 : 1;
  }
  EXPECT_EQ(table.activity_due(kStart + seconds{4}), Ids{});
  EXPECT_EQ(table.activity_due(kStart + seconds{5}), Ids{"b"});
  EXPECT_EQ(table.activity_due(kStart + seconds{30}), (Ids{"a", "b"}));
  table.activity_written({"a", "b", "nobody"}, kStart + seconds{30});
  EXPECT_EQ(table.activity_due(kStart + seconds{31}), Ids{});
  EXPECT_EQ(table.activity_due(kStart), (Ids{"a", "b"}));
}

TEST(LiveTable, ChangesOfWhatIsInUseAreToldOnce) {
  LiveTable table;
  table.use("a", kFirst)->leases = 1;
  table.use("idle", kFirst);
  for (const char* id : {"a", "a", "idle", "nobody"}) table.note_change(id);
  EXPECT_EQ(table.changed_in_use(), Ids{"a"});
  EXPECT_EQ(table.changed_in_use(), Ids{});
}

TEST(LiveTable, AnotherIncarnationOfANameEndsTheFormer) {
  LiveTable table;
  const auto first = table.use("a", kFirst);
  EXPECT_EQ(table.use("a", kFirst), first);
  const auto second = table.use("a", kSecond);
  EXPECT_NE(second, first);
  EXPECT_TRUE(first->ended.stop_requested());
  EXPECT_FALSE(second->ended.stop_requested());
}

}  // namespace
}  // namespace fusebox::fleet
