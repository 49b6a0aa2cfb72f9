#include "host/common/names.h"

#include <gtest/gtest.h>

#include "host/common/paths.h"

namespace fusebox::host {
namespace {

TEST(Names, MapToWhatThePathsOfTheWireTake) {
  base::SeededRandom random(1);
  EXPECT_EQ(vm_id_of("task-1", random), "task-1");
  EXPECT_EQ(vm_id_of("A.b_C", random), "a-b-c");
  EXPECT_EQ(vm_id_of("--a--", random), "a");
  EXPECT_EQ(vm_id_of("...", random), "vm");
  EXPECT_EQ(vm_id_of("a--b", random), "a--b");
  EXPECT_EQ(vm_id_of("", random)->size(), 11u);
  EXPECT_EQ(vm_id_of(std::string(128, 'a'), random)->size(), 128u);
  EXPECT_FALSE(vm_id_of(std::string(129, 'a'), random));
}

TEST(Names, SnapshotIdsAndDigestsHaveOneForm) {
  EXPECT_TRUE(is_snapshot_id("snap-1-abc"));
  EXPECT_TRUE(is_snapshot_id(std::string(128, 'a')));
  EXPECT_FALSE(is_snapshot_id(std::string(129, 'a')));
  for (const char* bad : {"", ".a", "-a", "a/b", "..", "a b", "_a"}) EXPECT_FALSE(is_snapshot_id(bad)) << bad;
  EXPECT_TRUE(is_digest(std::string(64, 'f')));
  EXPECT_FALSE(is_digest(std::string(64, 'F')));
  EXPECT_FALSE(is_digest(std::string(63, 'f')));
}

TEST(Names, TimesOfRecordsHaveNoFractions) {
  EXPECT_EQ(rfc3339_seconds(std::chrono::milliseconds{1'700'000'000'900}), "2023-11-14T22:13:20Z");
}

TEST(Paths, SecretsLieBelowFuse) {
  EXPECT_TRUE(is_secret_path("/fuse"));
  EXPECT_TRUE(is_secret_path("/fuse/a"));
  EXPECT_FALSE(is_secret_path("/fused"));
  EXPECT_TRUE(check_path("/"));
  EXPECT_TRUE(check_path("/a/.b/..c"));
}

}  // namespace
}  // namespace fusebox::host
