#include "policy/file_match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/limits.h"

namespace fusebox::policy {
namespace {

using testing::ElementsAre;

FileRules rules_of(std::vector<std::string> guests) {
  FileRules rules;
  for (std::string& guest : guests) rules.roots.push_back({.guest = std::move(guest), .host = "x"});
  return rules;
}

TEST(FileMatch, TheLongestPrefixAtComponentBordersWins) {
  const FileRules rules = rules_of({"/data", "/data/in/deep", "/data/in", "/out"});
  struct Case {
    const char* path;
    std::size_t root;
    std::vector<std::string_view> components;
  };
  const Case cases[] = {
      {"/data/a", 0, {"a"}},
      {"/data/in/a", 2, {"a"}},
      {"/data/in/deep/a/b", 1, {"a", "b"}},
      {"/data/input/a", 0, {"input", "a"}},
      {"/out/x", 3, {"x"}},
      {"//data/./in//a", 2, {"a"}},
      {"a", 0, {"a"}},
      {"in/a", 0, {"in", "a"}},
      {"./a", 0, {"a"}},
      {"/data/...", 0, {"..."}},
      {"/data/..a", 0, {"..a"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path);
    const auto got = match_file(rules, c.path);
    ASSERT_TRUE(got) << to_string(got.error());
    EXPECT_EQ(got->root, c.root);
    EXPECT_EQ(got->components, c.components);
  }
}

TEST(FileMatch, ARootOfEverythingCoversEverything) {
  const auto got = match_file(rules_of({"/"}), "/a/b");
  ASSERT_TRUE(got);
  EXPECT_THAT(got->components, ElementsAre("a", "b"));
}

TEST(FileMatch, RefusalsHaveTheirCodesAndSentences) {
  const FileRules rules = rules_of({"/data"});
  struct Case {
    std::string path;
    PathRefusal want;
    int code;
    const char* sentence;
  };
  const Case cases[] = {
      {"", PathRefusal::empty, -1, "the path is empty"},
      {std::string("/").append(kPathBytesMax, 'a'), PathRefusal::too_long, -1, "the path is longer than 4096 bytes"},
      {std::string("/data/").append(256, 'a'), PathRefusal::component_too_long, -1,
       "a component of the path is longer than 255 bytes"},
      {std::string("/data/a\0b", 9), PathRefusal::holds_nul, -1, "the path contains a NUL"},
      {"/data/\xff", PathRefusal::not_utf8, -2, "the path is not valid UTF-8"},
      {"/data/a/", PathRefusal::trailing_slash, -1, "the path ends in '/'"},
      {"/", PathRefusal::trailing_slash, -1, "the path ends in '/'"},
      {"/data/../data/a", PathRefusal::dot_dot, -5, "the path has a component \"..\""},
      {"..", PathRefusal::dot_dot, -5, "the path has a component \"..\""},
      {"/data2/a", PathRefusal::outside, -5, "the path lies outside every root"},
      {"/etc/passwd", PathRefusal::outside, -5, "the path lies outside every root"},
      {"/data", PathRefusal::names_root, -5, "the path names a root itself, not a file below it"},
      {"/data/.", PathRefusal::names_root, -5, "the path names a root itself, not a file below it"},
      {".", PathRefusal::names_root, -5, "the path names a root itself, not a file below it"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path.substr(0, 40));
    const auto got = match_file(rules, c.path);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error(), c.want);
    EXPECT_EQ(result_code(got.error()), c.code);
    EXPECT_EQ(to_string(got.error()), c.sentence);
  }
  const auto no_roots = match_file({}, "a");
  ASSERT_FALSE(no_roots);
  EXPECT_EQ(to_string(no_roots.error()), "the path is relative and there is no root to start from");
  EXPECT_EQ(match_file({}, "/a").error(), PathRefusal::outside);
}

TEST(FileMatch, TheLongestPathAndComponentAreAccepted) {
  std::string path = "/data";
  while (path.size() + 256 <= kPathBytesMax) path.append("/").append(255, 'a');
  path.append("/").append(kPathBytesMax - path.size(), 'b');
  ASSERT_EQ(path.size(), kPathBytesMax);
  EXPECT_TRUE(match_file(rules_of({"/data"}), path));
}

}  // namespace
}  // namespace fusebox::policy
