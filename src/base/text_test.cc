#include "base/text.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace fusebox::base {
namespace {

TEST(InQuotes, KeepsASentenceReadable) {
  EXPECT_EQ(in_quotes("abc"), "\"abc\"");
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("a\"b\nc"), R"("a\"b\nc")");
  EXPECT_EQ(in_quotes("\xff"), "\"\xef\xbf\xbd\"");
}

TEST(InQuotes, CutsAfterSixtyFourBytesAtACharacter) {
  EXPECT_EQ(in_quotes(std::string(64, 'x')), std::string("\"") + std::string(64, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(65, 'x')), std::string("\"") + std::string(64, 'x') + "...\"");
  EXPECT_EQ(in_quotes(std::string(63, 'x') + "\xc3\xa9z"), std::string("\"") + std::string(63, 'x') + "...\"");
  EXPECT_EQ(in_quotes(std::string(62, 'x') + "\xc3\xa9z"), std::string("\"") + std::string(62, 'x') + "\xc3\xa9...\"");
  EXPECT_TRUE(is_utf8(in_quotes(std::string(1000, '\x80'))));
}

}  // namespace
}  // namespace fusebox::base
