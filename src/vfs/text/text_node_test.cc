#include "vfs/text/text_node.h"

#include <gtest/gtest.h>

#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using testing::error_of;
using testing::Guest;

TEST(TextNode, IsRenderedAtTheFirstReadAndDeliveredOverMany) {
  Guest guest;
  std::string content = "before";
  int renders = 0;
  const auto file = make_text_node({.type = FileType::regular}, [&]() -> Io<std::string> {
    ++renders;
    return content;
  });
  content = "abcdefg";
  EXPECT_EQ(renders, 0);
  EXPECT_EQ(guest.read(*file, 3), "abc");
  content = "changed";
  EXPECT_EQ(guest.read(*file, 3), "def");
  EXPECT_EQ(guest.read(*file, 3), "g");
  EXPECT_EQ(guest.read(*file, 3), "");
  EXPECT_EQ(renders, 1);
}

TEST(TextNode, FillsSeveralBuffersInOrder) {
  Guest guest;
  const auto file = make_text_node({}, []() -> Io<std::string> { return "abcdef"; });
  std::string a(2, '.'), b(3, '.');
  const std::span<std::byte> both[] = {std::as_writable_bytes(std::span(a)), std::as_writable_bytes(std::span(b))};
  EXPECT_EQ(file->read(guest.fresh(), both), 5u);
  EXPECT_EQ(a + b, "abcde");
}

TEST(TextNode, AnErrorOfRenderingIsTheReadsAnswerAndTheNextReadTriesAgain) {
  Guest guest;
  bool works = false;
  const auto file = make_text_node({}, [&]() -> Io<std::string> {
    if (!works) return fail(Errno::noent);
    return "x";
  });
  EXPECT_EQ(error_of(guest.read(*file)), Errno::noent);
  works = true;
  EXPECT_EQ(guest.read(*file), "x");
}

TEST(TextNode, CannotBeSoughtAndIsAlwaysReady) {
  Guest guest;
  const auto file = make_text_node({}, []() -> Io<std::string> { return "abc"; });
  EXPECT_EQ(error_of(file->seek(0, Whence::current)), Errno::spipe);
  EXPECT_TRUE(file->poll(guest.fresh(), false).ready);
  ASSERT_EQ(guest.read(*file, 1), "a");
  EXPECT_EQ(file->poll(guest.fresh(), false).bytes, 2u);
}

}  // namespace
}  // namespace fusebox::vfs
