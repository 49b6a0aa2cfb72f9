#include "vfs/console/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vfs/device/devices.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::Guest;

struct WindowNode : ::testing::Test {
  std::shared_ptr<Window> window = std::make_shared<Window>(WindowSize{80, 24});
  std::shared_ptr<Mount> mount =
      make_device_tree("/dev", device_code("DevF"), {{null_device(), nullptr}, {window_device(window), nullptr}});
  Guest guest;
  std::unique_ptr<File> open() { return std::move(*guest.open(*mount, "winsize", Guest::kReads)); }
};

TEST_F(WindowNode, GivesTheSizeAtOnceAndThenEachChange) {
  const auto file = open();
  EXPECT_EQ(guest.read(*file), "80 24\n");
  EXPECT_EQ(error_of(guest.read(*file)), Errno::would_block);
  EXPECT_TRUE(guest.waits_for_something());
  window->set({120, 50});
  EXPECT_EQ(guest.read_again(*file), "120 50\n");
  window->set({1, 1});
  window->set({65535, 65535});
  EXPECT_EQ(guest.read(*file), "65535 65535\n") << "what came in between is of no use any more";
  EXPECT_EQ(error_of(guest.read(*file)), Errno::would_block);
}

TEST_F(WindowNode, TheSameSizeAgainIsNoChange) {
  const auto file = open();
  EXPECT_EQ(guest.read(*file), "80 24\n");
  const std::uint64_t before = window->changed().version();
  window->set({80, 24});
  EXPECT_EQ(window->changed().version(), before);
  window->set({81, 24});
  window->set({80, 24});
  EXPECT_EQ(error_of(guest.read(*file)), Errno::would_block) << "back at what was read last";
}

TEST_F(WindowNode, EachOpenBeginsAnewAndSmallBuffersLoseNothing) {
  const auto first = open();
  EXPECT_EQ(guest.read(*first, 4), "80 2");
  const auto second = open();
  EXPECT_EQ(guest.read(*second), "80 24\n");
  window->set({9, 9});
  EXPECT_EQ(guest.read(*first, 4), "4\n") << "a line is given as it began";
  EXPECT_EQ(guest.read(*first), "9 9\n");
}

TEST_F(WindowNode, CanBePolledAndReadWithoutWaiting) {
  const auto file = open();
  EXPECT_TRUE(file->poll(guest.fresh(), false).ready);
  EXPECT_EQ(guest.read(*file), "80 24\n");
  EXPECT_FALSE(file->poll(guest.fresh(), false).ready);
  EXPECT_TRUE(guest.waits_for_something());
  guest.nonblocking = true;
  EXPECT_EQ(error_of(guest.read(*file)), Errno::again);
  window->set({2, 3});
  EXPECT_EQ(file->poll(guest.fresh(), false).bytes, 4u);
}

TEST_F(WindowNode, IsOnlyReadAndNotListed) {
  EXPECT_EQ(error_of(guest.open(*mount, "winsize", Guest::kWrites)), Errno::rofs);
  EXPECT_EQ(error_of(guest.open(*mount, "winsize", Guest::kBoth)), Errno::rofs);
  EXPECT_THAT(guest.names(*mount), ElementsAre("null"));
  EXPECT_EQ(mount->stat(guest.fresh(), "winsize", true)->type, FileType::character);
  EXPECT_EQ(error_of(open()->seek(0, Whence::set)), Errno::spipe);
}

TEST_F(WindowNode, ASizeNobodyToldIsZeros) {
  window = std::make_shared<Window>();
  mount = make_device_mount("/dev/winsize", window_device(window));
  EXPECT_EQ(guest.read(*std::move(*guest.open(*mount, "", Guest::kReads))), "0 0\n");
}

}  // namespace
}  // namespace fusebox::vfs
