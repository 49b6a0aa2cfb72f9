#include "vfs/device/device_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vfs/device/devices.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::Guest;

// Says which path it was asked for.
class Echo final : public Mount {
 public:
  std::string unlinked = "-";
  std::string timed = "-";
  Io<std::unique_ptr<File>> open(Call&, std::string_view path, const OpenRequest&) override {
    if (path != "inner") return fail(Errno::badmsg);
    return null_device().open(call_, {}, {});
  }
  Io<Stat> stat(Call&, std::string_view path, bool) override {
    return Stat{.inode = 7 + path.size(), .type = FileType::directory};
  }
  Io<void> unlink(Call&, std::string_view path) override {
    unlinked = path;
    return {};
  }
  Io<void> set_times(Call&, std::string_view path, bool follow, SetTime, SetTime modified) override {
    timed = std::string(path) + (follow ? " followed " : " ") + std::to_string(modified.ns);
    return {};
  }

 private:
  base::ManualClock clock_;
  WaitSet waits_;
  Call call_{clock_, waits_, false, {}, {}};
};

struct Tree {
  std::shared_ptr<Echo> echo = std::make_shared<Echo>();
  std::shared_ptr<Mount> mount = make_device_tree(
      "/dev", device_code("DevF"),
      {{null_device(), nullptr}, {{.name = "pipe"}, echo}, {sha256_device(), nullptr}, {ed25519_device(), nullptr}});
};

TEST(DeviceTree, ListsItsEntriesInOrderWithTheInodesOfStatAtAnyBufferSize) {
  Tree tree;
  Guest guest;
  for (const std::size_t at_once : {1, 2, 3, 100}) {
    EXPECT_THAT(guest.names(*tree.mount, "", at_once), ElementsAre("null", "pipe", "sha256", "ed25519")) << at_once;
  }
  auto directory = guest.open(*tree.mount, "", Guest::kReads);
  ASSERT_TRUE(directory);
  const auto listed = guest.list(**directory);
  ASSERT_TRUE(listed);
  for (const auto& entry : *listed) {
    const auto stat = tree.mount->stat(guest.fresh(), entry.name, true);
    ASSERT_TRUE(stat) << entry.name;
    EXPECT_EQ(stat->inode, entry.inode) << entry.name;
    EXPECT_EQ(stat->type, entry.type) << entry.name;
    EXPECT_NE(entry.inode, 0u) << entry.name;
    EXPECT_EQ(stat->links, 1u) << entry.name;
  }
}

TEST(DeviceTree, ACookieBeyondTheEndListsNothing) {
  Tree tree;
  Guest guest;
  auto directory = guest.open(*tree.mount, "", Guest::kReads);
  ASSERT_TRUE(directory);
  struct Never final : DirSink {
    bool add(const Entry&) override { return ADD_FAILURE(), true; }
  } never;
  EXPECT_TRUE((*directory)->list(guest.fresh(), 4, never));
  EXPECT_TRUE((*directory)->list(guest.fresh(), UINT64_MAX, never));
}

TEST(DeviceTree, NamesMatchExactly) {
  Tree tree;
  Guest guest;
  for (const char* path : {"nullx", "nul", "NULL", "null ", "x"}) {
    EXPECT_EQ(error_of(guest.open(*tree.mount, path)), Errno::noent) << path;
    EXPECT_EQ(error_of(tree.mount->stat(guest.fresh(), path, true)), Errno::noent) << path;
  }
}

TEST(DeviceTree, APathBelowADeviceHasThatDevicesAnswer) {
  Tree tree;
  Guest guest;
  EXPECT_EQ(error_of(guest.open(*tree.mount, "null/x")), Errno::notdir);
  EXPECT_EQ(error_of(tree.mount->stat(guest.fresh(), "null/x", true)), Errno::notdir);
  EXPECT_EQ(error_of(guest.open(*tree.mount, "sha256/x")), Errno::noent);
  EXPECT_EQ(error_of(guest.open(*tree.mount, "ed25519/x")), Errno::noent);
}

TEST(DeviceTree, PathsBelowASubMountGoToItChangesToo) {
  Tree tree;
  Guest guest;
  EXPECT_TRUE(guest.open(*tree.mount, "pipe/inner"));
  EXPECT_EQ(error_of(guest.open(*tree.mount, "pipe/other")), Errno::badmsg);
  EXPECT_EQ(tree.mount->stat(guest.fresh(), "pipe/ab/c", true)->inode, 11u);
  EXPECT_TRUE(tree.mount->unlink(guest.fresh(), "pipe/a/b"));
  EXPECT_EQ(tree.echo->unlinked, "a/b");
  EXPECT_TRUE(tree.mount->set_times(guest.fresh(), "pipe/a", true, {}, {SetTime::How::at, 5}));
  EXPECT_EQ(tree.echo->timed, "a followed 5");
}

TEST(DeviceTree, DevicesAndMountPointsCannotBeChanged) {
  Tree tree;
  Guest guest;
  for (const char* path : {"null", "pipe", "new"}) {
    EXPECT_NE(error_of(tree.mount->unlink(guest.fresh(), path)), Errno::success) << path;
    EXPECT_NE(error_of(tree.mount->create_directory(guest.fresh(), path)), Errno::success) << path;
    EXPECT_NE(error_of(tree.mount->remove_directory(guest.fresh(), path)), Errno::success) << path;
    EXPECT_NE(error_of(tree.mount->set_times(guest.fresh(), path, true, {}, {})), Errno::success) << path;
  }
  EXPECT_EQ(tree.echo->unlinked, "-");
}

TEST(DeviceTree, OpenFlagsThatMakeNoSenseForDevicesAreIgnored) {
  Tree tree;
  Guest guest;
  OpenRequest request = Guest::kBoth;
  request.create = request.exclusive = request.truncate = true;
  request.flags = 1 | 2 | 4 | 8 | 16;
  const auto file = guest.open(*tree.mount, "null", request);
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->flags(), static_cast<FdFlags>(FdFlag::nonblock));
  EXPECT_EQ(error_of(guest.open(*tree.mount, "new", request)), Errno::noent);
}

TEST(DeviceTree, ADeviceIsNoDirectoryAndADirectoryNoFile) {
  Tree tree;
  Guest guest;
  EXPECT_EQ(error_of(guest.open(*tree.mount, "null", {.directory = true})), Errno::notdir);
  EXPECT_EQ(error_of(guest.open(*tree.mount, "", Guest::kWrites)), Errno::isdir);
  auto directory = guest.open(*tree.mount, "", {.directory = true});
  ASSERT_TRUE(directory);
  EXPECT_EQ((*directory)->type(), FileType::directory);
  EXPECT_EQ(error_of(guest.read(**directory)), Errno::isdir);
  EXPECT_EQ(error_of(guest.write(**directory, "x")), Errno::isdir);
  EXPECT_EQ((*directory)->stat()->device, device_code("DevF"));
}

TEST(DeviceTree, ADirectoryOutlivesTheLastReferenceToItsTree) {
  Guest guest;
  std::unique_ptr<File> directory;
  {
    Tree tree;
    directory = std::move(*guest.open(*tree.mount, "", Guest::kReads));
  }
  EXPECT_EQ(guest.list(*directory)->size(), 4u);
}

TEST(DeviceMount, StandsAtItsOwnPath) {
  Guest guest;
  const auto mount = make_device_mount("/mnt/zero", null_device());
  EXPECT_EQ(mount->type(), FileType::character);
  EXPECT_EQ(mount->stat(guest.fresh(), "", true)->device, device_code("Null"));
  EXPECT_NE(mount->stat(guest.fresh(), "", true)->inode, 0u);
  auto file = guest.open(*mount, "");
  ASSERT_TRUE(file);
  EXPECT_EQ(guest.write(**file, "abc"), 3u);
  EXPECT_EQ(error_of(guest.open(*mount, "x")), Errno::notdir);
  EXPECT_EQ(error_of(guest.open(*mount, "", {.directory = true})), Errno::notdir);
}

TEST(NullDevice, ReadsNothingAndTakesEverything) {
  Tree tree;
  Guest guest;
  auto file = guest.open(*tree.mount, "null");
  ASSERT_TRUE(file);
  EXPECT_EQ(guest.read(**file), "");
  EXPECT_EQ(guest.write(**file, std::string(100'000, 'x')), 100'000u);
  EXPECT_EQ(error_of((*file)->seek(0, Whence::set)), Errno::spipe);
  EXPECT_TRUE((*file)->poll(guest.fresh(), true).ready);
  EXPECT_EQ((*file)->stat()->type, FileType::character);
}

}  // namespace
}  // namespace fusebox::vfs
