// Rows 17, 20-22, 27: reading and writing, and what a guest sees of waits.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;

class Transfers : public Guest {
 protected:
  void SetUp() override {
    root_->add("file", FileType::regular, "0123456789");
    data_->add("file", FileType::regular, "data");
    dev_->streams["a"] = std::make_shared<Stream>();
    Guest::SetUp();
  }
  Stream& in() { return *console_[0]; }
  Stream& out() { return *console_[1]; }
};

TEST_F(Transfers, SeveralBuffersAreOneOperation) {
  put_text(kText, "abcdef");
  vectors({{kText, 2}, {kText + 5, 0}, {kText + 2, 4}});
  ASSERT_EQ(call("fd_write", {1, kVectors, 3, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 6u);
  EXPECT_EQ(out().out, "abcdef");
  EXPECT_EQ(out().asked, 1);
  in().in = "uvwxyz";
  vectors({{kText, 4}, {kText + 10, 4}});
  ASSERT_EQ(call("fd_read", {0, kVectors, 2, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 6u);
  EXPECT_EQ(text(kText, 4) + text(kText + 10, 2), "uvwxyz");
  EXPECT_EQ(in().asked, 1);
}

TEST_F(Transfers, PartOfAWriteIsASuccess) {
  out().room = 4;
  EXPECT_EQ(write(1, "abcdef"), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 4u);
  EXPECT_EQ(out().out, "abcd");
}

TEST_F(Transfers, NothingAtAllDoesNotReachTheNode) {
  vectors({{kText, 0}, {kText, 0}});
  put<std::uint32_t>(kOut, 9);
  for (const char* name : {"fd_read", "fd_write"}) {
    for (const std::int64_t count : {0, 2}) EXPECT_EQ(call(name, {1, kVectors, count, kOut}), Errno::success);
    EXPECT_EQ(get<std::uint32_t>(kOut), 0u);
  }
  EXPECT_EQ(call("fd_pread", {0, kVectors, 1, 0, kOut}), Errno::success);
  EXPECT_EQ(call("fd_pwrite", {0, kVectors, 1, 0, kOut}), Errno::success);
  EXPECT_EQ(out().asked, 0);
}

struct Shape {
  const char* name;
  bool has_offset;
};

TEST_F(Transfers, PointersAreCheckedBeforeAnythingMoves) {
  for (const auto& [name, offset] :
       {Shape{"fd_read", false}, Shape{"fd_write", false}, Shape{"fd_pread", true}, Shape{"fd_pwrite", true}}) {
    const auto file = opened("/data/file");
    const auto tries = [&](std::int64_t at, std::int64_t count, std::int64_t result) {
      data_->find("file")->data = "data";
      put_text(kText, "text");
      std::vector<std::int64_t> arguments = {file, at, count};
      if (offset) arguments.push_back(0);
      arguments.push_back(result);
      const Errno error = call(name, arguments);
      if (error != Errno::success) {
        EXPECT_EQ(data_->find("file")->data, "data") << name;
        EXPECT_EQ(text(kText, 4), "text") << name;
      }
      return error;
    };
    vectors({{kText, 4}});
    EXPECT_EQ(tries(kVectors, 1, kMemoryBytes - 4), Errno::success) << name;
    EXPECT_EQ(tries(kVectors, 1, kMemoryBytes - 3), Errno::fault) << name;
    EXPECT_EQ(tries(kVectors, 1, -1), Errno::fault) << name;
    EXPECT_EQ(tries(kMemoryBytes - 8, 1, kOut), Errno::success) << name;
    EXPECT_EQ(tries(kMemoryBytes - 7, 1, kOut), Errno::fault) << name;
    EXPECT_EQ(tries(kVectors, -1, kOut), Errno::inval) << name;
    vectors({{kText, 4}, {kMemoryBytes - 4, 4}});
    EXPECT_EQ(tries(kVectors, 2, kOut), Errno::success) << name;
    vectors({{kText, 4}, {kMemoryBytes - 4, 5}});
    EXPECT_EQ(tries(kVectors, 2, kOut), Errno::fault) << name;
    vectors({{kText, 4}, {UINT32_MAX, 2}});
    EXPECT_EQ(tries(kVectors, 2, kOut), Errno::fault) << name;
    vectors({{kText, 4}, {2, UINT32_MAX}});
    EXPECT_EQ(tries(kVectors, 2, kOut), Errno::fault) << name;
    EXPECT_EQ(call("fd_close", {file}), Errno::success);
  }
}

TEST_F(Transfers, BuffersAreAtMostAThousandAndTwentyFour) {
  for (std::uint32_t i = 0; i < 1025; ++i) {
    put<std::uint32_t>(kVectors + 8 * i, 10);
    put<std::uint32_t>(kVectors + 8 * i + 4, 1);
  }
  put_text(10, "x");
  EXPECT_EQ(call("fd_write", {1, kVectors, 1024, kOut}), Errno::success);
  EXPECT_EQ(out().out, std::string(1024, 'x'));
  EXPECT_EQ(call("fd_write", {1, kVectors, 1025, kOut}), Errno::inval);
  EXPECT_EQ(out().out.size(), 1024u);
  for (const std::int64_t count : {8, 9}) EXPECT_EQ(call("fd_write", {1, kVectors, count, kOut}), Errno::success);
  EXPECT_EQ(out().buffer_counts, (std::vector<std::size_t>{1024, 8, 9}));
}

TEST_F(Transfers, AccessModesHold) {
  const auto reads = opened("file", {.base = 2});
  const auto writes = opened("file", {.base = 64});
  const auto neither = opened("file", {.base = 4});
  EXPECT_EQ(read(reads), "0123456789");
  EXPECT_EQ(write(reads, "x"), Errno::badf);
  EXPECT_EQ(read(writes), "BADF");
  EXPECT_EQ(write(writes, "x"), Errno::success);
  EXPECT_EQ(read(neither), "x123456789") << "neither asked for is reading";
  EXPECT_EQ(write(neither, "x"), Errno::badf);
  vectors({{kText, 1}});
  EXPECT_EQ(call("fd_pread", {writes, kVectors, 1, 0, kOut}), Errno::badf);
  EXPECT_EQ(call("fd_pwrite", {reads, kVectors, 1, 0, kOut}), Errno::badf);
}

TEST_F(Transfers, DirectoriesHaveNoContent) {
  EXPECT_EQ(read(kRoot), "ISDIR");
  EXPECT_EQ(write(kRoot, "x"), Errno::isdir);
  vectors({{kText, 0}});
  EXPECT_EQ(call("fd_write", {kRoot, kVectors, 1, kOut}), Errno::isdir);
  EXPECT_EQ(call("fd_pread", {kRoot, kVectors, 1, 0, kOut}), Errno::isdir);
  EXPECT_EQ(call("fd_pwrite", {kRoot, kVectors, 1, 0, kOut}), Errno::isdir);
  EXPECT_EQ(read(99), "BADF");
  EXPECT_EQ(write(99, "x"), Errno::badf);
}

TEST_F(Transfers, ReadingAtAPlaceMovesNoCursor) {
  const auto file = opened("file");
  vectors({{kText, 3}, {kText + 3, 2}});
  ASSERT_EQ(call("fd_pread", {file, kVectors, 2, 4, kOut}), Errno::success);
  EXPECT_EQ(text(kText, get<std::uint32_t>(kOut)), "45678");
  EXPECT_EQ(call("fd_pread", {file, kVectors, 2, 10, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 0u);
  EXPECT_EQ(call("fd_pread", {file, kVectors, 2, INT64_MAX, kOut}), Errno::success);
  EXPECT_EQ(call("fd_pread", {file, kVectors, 2, INT64_MIN, kOut}), Errno::inval);
  put_text(kText, "AB");
  vectors({{kText, 2}});
  EXPECT_EQ(call("fd_pwrite", {file, kVectors, 1, 9, kOut}), Errno::success);
  EXPECT_EQ(call("fd_pwrite", {file, kVectors, 1, -1, kOut}), Errno::inval);
  EXPECT_EQ(read(file), "012345678AB");
  EXPECT_EQ(call("fd_pread", {0, kVectors, 1, 0, kOut}), Errno::spipe);
  EXPECT_EQ(call("fd_pwrite", {1, kVectors, 1, 0, kOut}), Errno::spipe);
  EXPECT_EQ(call("fd_pread", {99, kVectors, 1, 0, kOut}), Errno::badf);
  EXPECT_EQ(call("fd_pwrite", {99, kVectors, 1, 0, kOut}), Errno::badf);
}

TEST_F(Transfers, AppendingWritesAtTheEnd) {
  const auto file = opened("file", {.fd_flags = 1});
  put_text(kText, "AB");
  vectors({{kText, 2}});
  EXPECT_EQ(call("fd_pwrite", {file, kVectors, 1, 0, kOut}), Errno::success);
  EXPECT_EQ(root_->find("file")->data, "0123456789AB");
}

TEST_F(Transfers, AReadThatMustWaitIsAskedAgain) {
  vectors({{kText, 10}});
  auto call = begin("fd_read", {0, kVectors, 1, kOut});
  EXPECT_FALSE(call->poll());
  ASSERT_EQ(process_->waits().changes().size(), 1u);
  EXPECT_EQ(process_->waits().changes()[0].list, in().list);
  EXPECT_FALSE(call->poll()) << "woken for nothing";
  EXPECT_EQ(process_->waits().changes().size(), 1u) << "each try says anew what it waits for";
  in().in = "late";
  EXPECT_EQ(answer(*call), Errno::success);
  EXPECT_EQ(text(kText, get<std::uint32_t>(kOut)), "late");
  EXPECT_EQ(in().asked, 3);
}

TEST_F(Transfers, MemoryIsReadAnewAfterAWait) {
  vectors({{kText, 10}});
  auto call = begin("fd_read", {0, kVectors, 1, kOut});
  EXPECT_FALSE(call->poll());
  vectors({{kMemoryBytes - 1, 10}});
  in().in = "late";
  EXPECT_EQ(answer(*call), Errno::fault);
  EXPECT_EQ(in().in, "late");
}

TEST_F(Transfers, ADescriptorThatIsNonblockingDoesNotWait) {
  EXPECT_EQ(call("fd_fdstat_set_flags", {0, 4}), Errno::success);
  EXPECT_EQ(read(0), "AGAIN");
  const auto other = opened("/dev/a", {.fd_flags = 4});
  EXPECT_EQ(read(other), "AGAIN");
  const auto waits = opened("/dev/a");
  vectors({{kText, 10}});
  auto call = begin("fd_read", {waits, kVectors, 1, kOut});
  EXPECT_FALSE(call->poll()) << "the flag of one descriptor is not another's";
}

TEST_F(Transfers, AWriteThatMustWaitIsAskedAgain) {
  out().room = 0;
  vectors({{kText, put_text(kText, "abc")}});
  auto call = begin("fd_write", {1, kVectors, 1, kOut});
  EXPECT_FALSE(call->poll());
  out().room = 2;
  EXPECT_EQ(answer(*call), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 2u);
}

TEST_F(Transfers, AStoppedWaitMovesNothing) {
  vectors({{kText, 10}});
  auto call = begin("fd_read", {0, kVectors, 1, kOut});
  EXPECT_FALSE(call->poll());
  instance_->stop_handle().cancel();
  in().in = "late";
  EXPECT_TRUE(call->poll());
  EXPECT_EQ(call->take_outcome().message(), "stopped: cancelled");
  EXPECT_EQ(in().in, "late");
}

class Listing : public Guest {
 protected:
  static constexpr int kEntries = 40;
  void SetUp() override {
    root_->add("d", FileType::directory);
    for (int i = 0; i < kEntries; ++i)
      root_->add("d/" + std::string(static_cast<std::size_t>(i % 7) + 1, 'n') + std::to_string(i),
                 i % 2 == 0 ? FileType::regular : FileType::directory);
    Guest::SetUp();
    fd_ = opened_directory("d");
  }
  struct Entry {
    std::uint64_t next;
    std::uint64_t inode;
    std::uint8_t type;
    std::string name;
  };
  // The whole entries of one call; `used` tells what it filled.
  std::vector<Entry> list(std::uint32_t size, std::uint64_t cookie, std::uint32_t& used) {
    EXPECT_EQ(call("fd_readdir", {fd_, kText, size, static_cast<std::int64_t>(cookie), kOut}), Errno::success);
    used = get<std::uint32_t>(kOut);
    std::vector<Entry> entries;
    for (std::uint32_t at = 0; at + 24 <= used;) {
      const auto name = get<std::uint32_t>(kText + at + 16);
      if (at + 24 + name > used) break;
      EXPECT_EQ(get<std::uint32_t>(kText + at + 20) >> 8, 0u) << "padding";
      entries.push_back({get<std::uint64_t>(kText + at), get<std::uint64_t>(kText + at + 8),
                         get<std::uint8_t>(kText + at + 20), text(kText + at + 24, name)});
      at += 24 + name;
    }
    return entries;
  }
  std::uint32_t fd_ = 0;
};

TEST_F(Listing, IsCompleteAtAnySizeOfBuffer) {
  for (const std::uint32_t size : {33u, 40u, 64u, 100u, 1000u, 50'000u}) {
    std::map<std::string, Entry> all;
    std::uint64_t cookie = 0;
    std::uint32_t used = size;
    while (used == size) {
      const auto entries = list(size, cookie, used);
      ASSERT_FALSE(used == size && entries.empty()) << "no progress";
      for (const Entry& entry : entries) {
        EXPECT_TRUE(all.emplace(entry.name, entry).second) << "twice: " << entry.name;
        cookie = entry.next;
      }
    }
    ASSERT_EQ(all.size(), static_cast<std::size_t>(kEntries)) << size;
    for (const auto& [name, entry] : all) {
      EXPECT_EQ(entry.inode, root_->find("d/" + name)->inode);
      EXPECT_EQ(entry.type, static_cast<std::uint8_t>(root_->find("d/" + name)->type));
    }
  }
}

TEST_F(Listing, TheBufferIsFilledToItsLastByte) {
  std::uint32_t used = 0;
  for (std::uint32_t size = 0; size < 60; ++size) {
    put<std::uint8_t>(kText + size, 0x5a);
    list(size, 0, used);
    EXPECT_EQ(used, size);
    EXPECT_EQ(get<std::uint8_t>(kText + size), 0x5a);
  }
  list(50'000, kEntries, used);
  EXPECT_EQ(used, 0u) << "at the end there is nothing";
  list(50'000, UINT64_MAX, used);
  EXPECT_EQ(used, 0u);
}

TEST_F(Listing, ChecksWhatItIsGiven) {
  EXPECT_EQ(call("fd_readdir", {fd_, kMemoryBytes - 10, 10, 0, kOut}), Errno::success);
  EXPECT_EQ(call("fd_readdir", {fd_, kMemoryBytes - 9, 10, 0, kOut}), Errno::fault);
  EXPECT_EQ(call("fd_readdir", {fd_, kText, 10, 0, kMemoryBytes - 3}), Errno::fault);
  EXPECT_EQ(call("fd_readdir", {1, kText, 10, 0, kOut}), Errno::notdir);
  EXPECT_EQ(call("fd_readdir", {99, kText, 10, 0, kOut}), Errno::badf);
}

TEST_F(Listing, TheRootListsItsMounts) {
  fd_ = kRoot;
  std::uint32_t used = 0;
  std::vector<std::string> names;
  for (const Entry& entry : list(1000, 0, used)) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"d", "dev", "data", "fixed"}));
}

}  // namespace
}  // namespace fusebox::wasi
