#include "image/store/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fusebox::image {
namespace {

using ::testing::HasSubstr;

TEST(ParseReference, SplitsNameAndVersion) {
  const auto bare = parse_reference("meter", 14);
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->name, "meter");
  EXPECT_EQ(bare->version, "");
  const auto tagged = parse_reference("meter:0.0.1-1", 14);
  ASSERT_TRUE(tagged);
  EXPECT_EQ(tagged->name, "meter");
  EXPECT_EQ(tagged->version, "0.0.1-1");
}

TEST(ParseReference, AcceptsExactlyTheGrammar) {
  EXPECT_TRUE(parse_reference("_a.b-C9:1_", 14));
  EXPECT_TRUE(parse_reference("12345678901234:12345678901234", 14));
  for (const char* bad : {"", ":", "a:", ":1", "a:b:c", "-a", ".a", "a/b", "a b", "a@1", "123456789012345", "a:.1",
                          "a:123456789012345", "\xC3\xA4"}) {
    const auto parsed = parse_reference(bad, 14);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, base::Errc::invalid) << bad;
    EXPECT_EQ(parsed.error().name, "BAD_NAME") << bad;
  }
  EXPECT_TRUE(parse_reference("123456789012345", 15));
  EXPECT_EQ(parse_reference("a/b", 14).error().message,
            "image name \"a/b\" is not 1 to 14 bytes of letters, digits, '_', '.' and '-' with no '.' or '-' at the "
            "start");
}

TEST(VersionLess, OrdersNumbersAsNumbersAndTheRestAsBytes) {
  const std::vector<std::string_view> ascending = {"0.0.1-1", "0.0.1-2", "0.0.1-10", "0.0.2", "0.0.2-1",
                                                   "0.0.10",  "1",       "1.0",      "10",    "a",
                                                   "a1",      "a02",     "a10",      "b",     "latest"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j)
      EXPECT_EQ(version_less(ascending[i], ascending[j]), i < j) << ascending[i] << " and " << ascending[j];
  }
}

TEST(VersionLess, NumbersHaveNoWidth) {
  EXPECT_TRUE(version_less("99999999999999999999998", "99999999999999999999999"));
  EXPECT_TRUE(version_less("99999999999999999999999", "100000000000000000000000"));
  EXPECT_TRUE(version_less("1.2", "1.02"));  // the same number: the longer text is newer, so that there is one newest
  EXPECT_FALSE(version_less("1.02", "1.2"));
}

TEST(Choose, TakesTheNewestOfTheVeryNameUnlessOneIsAsked) {
  const std::vector<Entry> entries = {{"a", "1.9", 1, {}}, {"a", "1.10", 2, {}}, {"ab", "9", 3, {}}, {"b", "1", 4, {}}};
  EXPECT_EQ(choose(entries, {"a", ""})->version, "1.10");
  EXPECT_EQ(choose(entries, {"a", "1.9"})->stored_bytes, 1u);
  const auto none = choose(entries, {"a", "2"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Errc::not_found);
  EXPECT_EQ(none.error().message, "no image \"a:2\" is stored");
}

TEST(SuggestedReference, TakesTheLastComponentAndItsTag) {
  const auto suggest = [](std::string_view foreign) {
    const Reference reference = suggested_reference(foreign, 14);
    return reference.name + "|" + reference.version;
  };
  EXPECT_EQ(suggest("registry.example:5000/team/hello:1.2"), "hello|1.2");
  EXPECT_EQ(suggest("hello"), "hello|");
  EXPECT_EQ(suggest("localhost:5000/hello@sha256:aa"), "hello|");
  EXPECT_EQ(suggest("x/a-name-that-is-too-long:a-tag-that-is-too-long"), "a-name-that-is|a-tag-that-is-");
  EXPECT_EQ(suggest("x/..odd+name"), "oddname|");
  EXPECT_EQ(suggest("x/+++"), "|");
}

}  // namespace
}  // namespace fusebox::image
