#include "vfs/log/log_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::Guest;
using ::testing::IsEmpty;

struct Logs : ::testing::Test {
  std::shared_ptr<LogStore> store =
      std::make_shared<LogStore>(LogStoreOptions{.rings_max = 3, .ring_bytes = 10, .name_bytes = 14});
  std::shared_ptr<Mount> mount = make_log_mount(store, "/log", "");
  Guest guest;
  void append(std::string_view name, std::string_view text, std::uint32_t ring_bytes = 0) {
    const std::span<const std::byte> one[] = {base::as_bytes(text)};
    store->append(name, one, ring_bytes);
  }
};

TEST_F(Logs, TheNewestBytesStay) {
  append("a", "0123456789");
  EXPECT_EQ(store->read("a"), "0123456789");
  append("a", "x");
  EXPECT_EQ(store->read("a"), "123456789x");
  append("a", "ABCDEFGHIJKLMNOP");
  EXPECT_EQ(store->read("a"), "GHIJKLMNOP");
  EXPECT_EQ(store->read("a"), "GHIJKLMNOP") << "reading took something out";
}

TEST_F(Logs, AgreeWithASimpleModelOverManyAppends) {
  std::string model;
  for (int i = 0; i < 500; ++i) {
    const std::string piece(static_cast<std::size_t>(i * 7 % 13), static_cast<char>('a' + i % 26));
    append("a", piece);
    model += piece;
    if (model.size() > 10) model.erase(0, model.size() - 10);
    ASSERT_EQ(store->read("a"), model) << i;
  }
}

TEST_F(Logs, ASizeOfItsOwnTakesEffectAtTheNextAppend) {
  append("a", "0123456789", 4);
  EXPECT_EQ(store->read("a"), "6789");
  append("a", "abcd", 6);
  EXPECT_EQ(store->read("a")->substr(2), "abcd");
  EXPECT_LE(store->read("a")->size(), 6u);
}

TEST_F(Logs, SeveralBuffersLandInOnePiece) {
  const std::span<const std::byte> pieces[] = {base::as_bytes("ab"), base::as_bytes(""), base::as_bytes("cd")};
  store->append("a", pieces);
  EXPECT_EQ(store->read("a"), "abcd");
}

TEST_F(Logs, TheLeastRecentlyUsedRingMakesRoom) {
  append("a", "1");
  append("b", "2");
  append("c", "3");
  ASSERT_TRUE(store->read("a"));  // reading is using
  append("d", "4");
  EXPECT_TRUE(store->exists("a"));
  EXPECT_FALSE(store->exists("b"));
  EXPECT_TRUE(store->exists("c"));
  append("c", "x");
  append("e", "5");
  EXPECT_FALSE(store->exists("a"));
  EXPECT_EQ(store->read("c"), "3x");
}

TEST_F(Logs, OneNameCannotPushOthersOut) {
  append("a", "1");
  for (int i = 0; i < 100; ++i) append("loud", "noise");
  EXPECT_EQ(store->read("a"), "1");
}

TEST_F(Logs, FollowersGoOnWhereTheyWereAndLearnWhatTheyMissed) {
  EXPECT_FALSE(store->tail("a", 0));
  append("a", "abc");
  auto tail = store->tail("a", 0);
  EXPECT_EQ(tail->bytes, "abc");
  EXPECT_FALSE(tail->lost);
  append("a", "de");
  tail = store->tail("a", tail->next);
  EXPECT_EQ(tail->bytes, "de");
  EXPECT_EQ(store->tail("a", tail->next)->bytes, "");
  append("a", "0123456789ABC");
  tail = store->tail("a", tail->next);
  EXPECT_EQ(tail->bytes, "3456789ABC");
  EXPECT_TRUE(tail->lost);
  EXPECT_EQ(store->tail("a", tail->next + 100)->bytes, "");
}

TEST_F(Logs, AnAppendWakesFollowers) {
  const std::uint64_t before = store->changes()->version();
  append("a", "x");
  EXPECT_NE(store->changes()->version(), before);
}

TEST_F(Logs, TheMountListsRingsAndReadsThemFromTheOldestByte) {
  append("b", "one");
  append("a", "two");
  append("b", "!");
  EXPECT_THAT(guest.names(*mount), ElementsAre("b", "a"));
  EXPECT_THAT(guest.names(*mount, "", 1), ElementsAre("b", "a"));
  auto file = guest.open(*mount, "b", Guest::kReads);
  ASSERT_TRUE(file);
  EXPECT_EQ(guest.read(**file, 2), "on");
  append("b", "later");
  EXPECT_EQ(guest.read(**file), "e!") << "rendered once";
  EXPECT_EQ(guest.read(**file), "");
  EXPECT_EQ((*file)->type(), FileType::character);
  EXPECT_EQ((*file)->stat()->device, device_code("Logs"));
  EXPECT_EQ((*file)->stat()->inode, mount->stat(guest.fresh(), "b", true)->inode);
  EXPECT_EQ(mount->stat(guest.fresh(), "", true)->device, device_code("Logd"));
}

TEST_F(Logs, TheMountIsReadOnlyAndKnowsNoOtherNames) {
  append("a", "1");
  EXPECT_EQ(error_of(guest.open(*mount, "a", Guest::kWrites)), Errno::rofs);
  EXPECT_EQ(error_of(guest.open(*mount, "new", {.create = true})), Errno::rofs);
  EXPECT_EQ(error_of(guest.open(*mount, "b", Guest::kReads)), Errno::noent);
  EXPECT_EQ(error_of(guest.open(*mount, "a/b", Guest::kReads)), Errno::noent);
  EXPECT_EQ(error_of(guest.open(*mount, "a", {.directory = true})), Errno::notdir);
  EXPECT_EQ(error_of(guest.open(*mount, std::string(14, 'n'), Guest::kReads)), Errno::noent);
  EXPECT_EQ(error_of(guest.open(*mount, std::string(15, 'n'), Guest::kReads)), Errno::nametoolong);
  EXPECT_EQ(error_of(mount->unlink(guest.fresh(), "a")), Errno::rofs);
}

TEST_F(Logs, AScopeShowsOneName) {
  append("a", "1");
  append("b", "2");
  const auto scoped = make_log_mount(store, "/log", "b");
  EXPECT_THAT(guest.names(*scoped), ElementsAre("b"));
  EXPECT_TRUE(guest.open(*scoped, "b", Guest::kReads));
  EXPECT_EQ(error_of(guest.open(*scoped, "a", Guest::kReads)), Errno::noent);
  EXPECT_EQ(error_of(scoped->stat(guest.fresh(), "a", true)), Errno::noent);
  EXPECT_THAT(guest.names(*make_log_mount(store, "/log", "c")), IsEmpty());
}

TEST_F(Logs, TheDeviceAppendsToItsOwnRingAndReadsNothing) {
  const auto device = make_device_mount("/dev/log", log_device(store, "me", 5));
  auto file = guest.open(*device, "");
  ASSERT_TRUE(file);
  EXPECT_EQ(guest.write(**file, "1234567"), 7u);
  EXPECT_EQ(guest.read(**file), "");
  EXPECT_EQ(store->read("me"), "34567");
}

TEST_F(Logs, AppendsFromTwoThreadsAreWhole) {
  const auto big = std::make_shared<LogStore>(LogStoreOptions{.rings_max = 2, .ring_bytes = 1 << 20, .name_bytes = 14});
  std::vector<std::thread> threads;
  for (const char* line : {"aaaa\n", "bbbb\n"}) {
    threads.emplace_back([big, line] {
      const std::span<const std::byte> one[] = {base::as_bytes(line)};
      for (int i = 0; i < 2000; ++i) {
        big->append("x", one);
        if (i % 100 == 0) (void)big->read("x");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string all = *big->read("x");
  ASSERT_EQ(all.size(), 20'000u);
  for (std::size_t at = 0; at < all.size(); at += 5) {
    ASSERT_TRUE(all.substr(at, 5) == "aaaa\n" || all.substr(at, 5) == "bbbb\n") << at;
  }
}

}  // namespace
}  // namespace fusebox::vfs
