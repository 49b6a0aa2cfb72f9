#include "fleet/api/frame/paging.h"

#include <gtest/gtest.h>

#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

TEST(Paging, LimitIsFiftyUnlessItIsANumberThatMakesSense) {
  EXPECT_EQ(page_limit({}), 50u);
  for (const char* text : {"", "0", "-1", "x", "10x", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(page_limit(text), 50u) << text;
  }
  EXPECT_EQ(page_limit("1"), 1u);
  EXPECT_EQ(page_limit("200"), 200u);
  EXPECT_EQ(page_limit("201"), 200u);
}

TEST(Paging, CursorsComeBack) {
  EXPECT_EQ(read_cursor(write_cursor("fuse-a>?~")).value(), "fuse-a>?~");
  EXPECT_EQ(read_cursor("").value(), "");
  EXPECT_EQ(read_number_cursor(write_number_cursor(42)).value(), 42);
  const base::Nanos at{1'700'000'000'123'456'000};
  const auto snapshot = read_snapshot_cursor(write_snapshot_cursor({at, "snap-1"}));
  ASSERT_TRUE(snapshot && *snapshot);
  EXPECT_EQ((*snapshot)->created_at, at);
  EXPECT_EQ((*snapshot)->id, "snap-1");
  EXPECT_EQ(write_cursor("a").find_first_of("+/="), std::string::npos);
}

TEST(Paging, OthersAreRefused) {
  const std::string no_object = "WzFd";             // [1]
  const std::string other_member = "eyJhIjoiYiJ9";  // {"a":"b"}
  const std::string number = "eyJpZCI6MX0";         // {"id":1}
  for (const std::string& text : {std::string("!"), std::string("a"), std::string("YQ=="), no_object, other_member,
                                  number, std::string(5000, 'A')}) {
    const auto read = read_cursor(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message, "invalid pagination cursor");
    EXPECT_EQ(api_detail(read.error()).status, 400);
    EXPECT_FALSE(read_snapshot_cursor(text)) << text;
  }
  EXPECT_FALSE(read_number_cursor(write_cursor("-1")));
  EXPECT_FALSE(read_number_cursor(write_cursor("1x")));
  EXPECT_FALSE(read_snapshot_cursor(write_cursor("snap-1"))) << "without its time";
  EXPECT_FALSE(read_snapshot_cursor(write_snapshot_cursor({base::Nanos{0}, "snap-1"}))) << "no time at all";
  const std::string epoch = "eyJjcmVhdGVkX2F0IjoiMTk3MC0wMS0wMVQwMDowMDowMFoiLCJpZCI6InNuYXAtMSJ9";
  EXPECT_FALSE(read_snapshot_cursor(epoch)) << "the same, written another way";
}

}  // namespace
}  // namespace fusebox::fleet
