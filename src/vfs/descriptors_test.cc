#include "vfs/descriptors.h"

#include <gtest/gtest.h>

#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using testing::Guest;

// Says on close and destruction that it happened.
class Told final : public File {
 public:
  Told(std::string name, std::vector<std::string>& log, Errno close_answer = Errno::success)
      : name_(std::move(name)), log_(log), close_answer_(close_answer) {}
  ~Told() override { log_.push_back("gone " + name_); }
  FileType type() const noexcept override { return type_; }
  Io<Stat> stat() override { return Stat{}; }
  Io<void> close(Call&) override {
    log_.push_back("close " + name_);
    if (close_answer_ == Errno::success) return {};
    return fail(std::exchange(close_answer_, Errno::success));
  }
  FileType type_ = FileType::character;

 private:
  std::string name_;
  std::vector<std::string>& log_;
  Errno close_answer_;
};

class DescriptorsTest : public ::testing::Test {
 protected:
  Descriptor file(std::string name, Errno close_answer = Errno::success) {
    Descriptor descriptor;
    descriptor.file = std::make_unique<Told>(std::move(name), log_, close_answer);
    return descriptor;
  }
  void put_console() {
    for (std::uint32_t fd = 0; fd < 3; ++fd) {
      Descriptor descriptor = file("console" + std::to_string(fd));
      descriptor.console = true;
      table_.put(fd, std::move(descriptor));
    }
  }
  std::vector<std::string> log_;
  Guest guest_;
  Descriptors table_{6};
};

TEST_F(DescriptorsTest, NewOnesTakeTheLowestFreeNumberFromThree) {
  EXPECT_EQ(*table_.add(file("a")), 3u);
  put_console();
  EXPECT_EQ(*table_.add(file("b")), 4u);
  EXPECT_EQ(*table_.add(file("c")), 5u);
  EXPECT_TRUE(table_.full());
  EXPECT_EQ(table_.add(file("d")).error(), Errno::mfile);
  ASSERT_TRUE(table_.close(guest_.fresh(), 4));
  EXPECT_FALSE(table_.full());
  ASSERT_TRUE(table_.close(guest_.fresh(), 3));
  EXPECT_EQ(*table_.add(file("e")), 3u);
  EXPECT_EQ(*table_.add(file("f")), 4u);
  EXPECT_EQ(table_.close(guest_.fresh(), 99).error(), Errno::badf);
  EXPECT_EQ(table_.get(99), nullptr);
}

TEST_F(DescriptorsTest, TheOpenOnesAreCounted) {
  put_console();
  EXPECT_EQ(*table_.add(file("a")), 3u);
  EXPECT_EQ(*table_.add(file("b")), 4u);
  table_.put(0, file("another console"));
  EXPECT_EQ(table_.open_count(), 5u);
  ASSERT_TRUE(table_.renumber(4, 3));
  EXPECT_EQ(table_.open_count(), 4u);
  ASSERT_TRUE(table_.close(guest_.fresh(), 3));
  EXPECT_FALSE(table_.close(guest_.fresh(), 3));
  EXPECT_EQ(table_.open_count(), 3u);
  table_.clear();
  EXPECT_EQ(table_.open_count(), 0u);
}

TEST_F(DescriptorsTest, ConsolesAndPreopensStayOpen) {
  put_console();
  Descriptor preopen = file("preopen");
  preopen.preopen = true;
  ASSERT_EQ(*table_.add(std::move(preopen)), 3u);
  for (std::uint32_t fd = 0; fd <= 3; ++fd) {
    EXPECT_TRUE(table_.close(guest_.fresh(), fd));
    EXPECT_NE(table_.get(fd), nullptr);
  }
  EXPECT_TRUE(log_.empty());
}

TEST_F(DescriptorsTest, CloseReportsWhatTheFileSays) {
  ASSERT_EQ(*table_.add(file("bad", Errno::io)), 3u);
  EXPECT_EQ(table_.close(guest_.fresh(), 3).error(), Errno::io);
  EXPECT_EQ(table_.get(3), nullptr);
  EXPECT_EQ(table_.close(guest_.fresh(), 3).error(), Errno::badf);
  ASSERT_EQ(*table_.add(file("slow", Errno::would_block)), 3u);
  EXPECT_EQ(table_.close(guest_.fresh(), 3).error(), Errno::would_block);
  ASSERT_NE(table_.get(3), nullptr);
  EXPECT_TRUE(table_.close(guest_.again(), 3));
  EXPECT_EQ(table_.get(3), nullptr);
}

TEST_F(DescriptorsTest, RenumberReplacesAndFrees) {
  put_console();
  EXPECT_EQ(*table_.add(file("a")), 3u);
  EXPECT_EQ(*table_.add(file("b")), 4u);
  EXPECT_TRUE(table_.renumber(3, 3));
  EXPECT_EQ(table_.renumber(3, 5).error(), Errno::badf);
  EXPECT_EQ(table_.renumber(5, 3).error(), Errno::badf);
  EXPECT_TRUE(log_.empty());
  ASSERT_TRUE(table_.renumber(4, 3));
  EXPECT_EQ(log_, std::vector<std::string>{"gone a"});
  EXPECT_EQ(table_.get(4), nullptr);
  EXPECT_EQ(*table_.add(file("c")), 4u);
  // A console's number is replaced and cannot be closed; its File at another number can.
  ASSERT_TRUE(table_.renumber(3, 1));
  EXPECT_TRUE(table_.close(guest_.fresh(), 1));
  EXPECT_NE(table_.get(1), nullptr);
  ASSERT_TRUE(table_.renumber(2, 4));
  EXPECT_EQ(table_.get(2), nullptr);
  EXPECT_TRUE(table_.close(guest_.fresh(), 4));
  EXPECT_EQ(table_.get(4), nullptr);
  EXPECT_EQ(*table_.add(file("d")), 3u);  // never below
}

TEST_F(DescriptorsTest, EverythingGoesInOrderAtTheEnd) {
  put_console();
  ASSERT_TRUE(table_.add(file("a")));
  table_.clear();
  EXPECT_EQ(log_, (std::vector<std::string>{"gone console0", "gone console1", "gone console2", "gone a"}));
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(*table_.add(file("b")), 3u);
}

TEST_F(DescriptorsTest, ANodeThatCannotSaysSo) {
  Told stream("s", log_), folder("d", log_), plain("f", log_);
  folder.type_ = FileType::directory;
  plain.type_ = FileType::regular;
  Call& call = guest_.fresh();
  EXPECT_EQ(stream.read(call, {}).error(), Errno::badf);
  EXPECT_EQ(folder.read(call, {}).error(), Errno::isdir);
  EXPECT_EQ(folder.write(call, {}).error(), Errno::isdir);
  EXPECT_EQ(stream.seek(0, Whence::set).error(), Errno::spipe);
  EXPECT_EQ(folder.seek(0, Whence::set).error(), Errno::isdir);
  EXPECT_EQ(stream.read_at(call, {}, 0).error(), Errno::spipe);
  EXPECT_EQ(stream.write_at(call, {}, 0).error(), Errno::spipe);
  EXPECT_EQ(stream.advise(0, 0).error(), Errno::spipe);
  EXPECT_EQ(folder.advise(0, 0).error(), Errno::badf);
  EXPECT_TRUE(plain.advise(0, 0));
  EXPECT_EQ(stream.allocate(0, 1).error(), Errno::badf);
  EXPECT_EQ(stream.set_size(1).error(), Errno::inval);
  EXPECT_EQ(stream.set_times({}, {}).error(), Errno::badf);
  EXPECT_TRUE(stream.sync(false));
  EXPECT_TRUE(stream.poll(call, false).ready);
  EXPECT_EQ(stream.accept(call, 0).error(), Errno::notsock);
  EXPECT_EQ(stream.receive(call, {}, {}).error(), Errno::notsock);
  EXPECT_EQ(stream.send(call, {}).error(), Errno::notsock);
  EXPECT_EQ(stream.shutdown(call, true, true).error(), Errno::notsock);
  EXPECT_TRUE(stream.set_flags(static_cast<FdFlags>(FdFlag::nonblock)));
  EXPECT_EQ(stream.flags(), 4u);
  EXPECT_EQ(stream.set_flags(static_cast<FdFlags>(FdFlag::append)).error(), Errno::notsup);
  EXPECT_EQ(stream.flags(), 4u);
}

TEST(DeviceCodes, AreFourBytesInMemoryOrder) {
  EXPECT_EQ(device_code("Null"), 0x6c6c754eu);
  EXPECT_NE(inode_of(""), 0u);
  EXPECT_NE(inode_of("/a"), inode_of("/b"));
}

}  // namespace
}  // namespace fusebox::vfs
