#include "base/base64url.h"

#include <gtest/gtest.h>

namespace fusebox::base {
namespace {

TEST(Base64Url, TextsOfEveryLengthComeBack) {
  std::string bytes;
  for (int size = 0; size < 70; ++size) {
    const std::string text = to_base64url(as_bytes(bytes));
    EXPECT_EQ(text.find_first_of("+/="), std::string::npos);
    EXPECT_EQ(as_text(from_base64url(text).value()), bytes);
    bytes.push_back(static_cast<char>(0xff - size * 7));
  }
  EXPECT_EQ(to_base64url(as_bytes("\xfb\xff")), "-_8");
}

TEST(Base64Url, OtherSpellingsAreRefused) {
  for (const char* text : {"A", "+_8", "-/8", "-_8=", "-_9", "-_ 8", "AAAAA", "\xc3\xa9"}) {
    EXPECT_EQ(from_base64url(text).error().code, Errc::invalid) << text;
  }
}

}  // namespace
}  // namespace fusebox::base
