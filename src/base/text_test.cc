#include "base/text.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace fusebox::base {
namespace {

TEST(Quoted, KeepsASentenceReadable) {
  EXPECT_EQ(quoted("abc"), "\"abc\"");
  EXPECT_EQ(quoted(""), "\"\"");
  EXPECT_EQ(quoted("a\"b\nc"), R"("a\"b\nc")");
  EXPECT_EQ(quoted("\xff"), "\"\xef\xbf\xbd\"");
}

TEST(Quoted, CutsAfterSixtyFourBytesAtACharacter) {
  EXPECT_EQ(quoted(std::string(64, 'x')), "\"" + std::string(64, 'x') + "\"");
  EXPECT_EQ(quoted(std::string(65, 'x')), "\"" + std::string(64, 'x') + "...\"");
  EXPECT_EQ(quoted(std::string(63, 'x') + "\xc3\xa9z"), "\"" + std::string(63, 'x') + "...\"");
  EXPECT_EQ(quoted(std::string(62, 'x') + "\xc3\xa9z"), "\"" + std::string(62, 'x') + "\xc3\xa9...\"");
  EXPECT_TRUE(is_utf8(quoted(std::string(1000, '\x80'))));
}

}  // namespace
}  // namespace fusebox::base
