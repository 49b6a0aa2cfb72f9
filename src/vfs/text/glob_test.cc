#include "vfs/text/glob.h"

#include <gtest/gtest.h>

namespace fusebox::vfs {
namespace {

TEST(Glob, PatternsMeanWhatShellsMean) {
  struct Case {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Case cases[] = {
      {"*", "", true},          {"*", "a/b", true},   {"", "", true},           {"", "a", false},
      {"a", "a", true},         {"a", "ab", false},   {"ab", "a", false},       {"a*", "a", true},
      {"a*", "abc", true},      {"a*", "ba", false},  {"*.log", "x.log", true}, {"*.log", "x.logs", false},
      {"a?c", "abc", true},     {"a?c", "ac", false}, {"?", "", false},         {"a*b*c", "aXbYc", true},
      {"a*b*c", "aXbY", false}, {"*ab", "aab", true}, {"[a]", "a", false},      {"[a]", "[a]", true},
      {"**", "x", true},
  };
  for (const Case& c : cases) EXPECT_EQ(glob_match(c.pattern, c.name), c.matches) << c.pattern << " on " << c.name;
}

TEST(Glob, AHostilePatternTakesNoExponentialTime) {
  std::string pattern, name(4000, 'a');
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  pattern += 'b';
  EXPECT_FALSE(glob_match(pattern, name));
}

TEST(Glob, AnyOfSeveralPatternsIsEnoughAndNoneMatchesNothing) {
  EXPECT_TRUE(glob_match_any({"x", "a*"}, "abc"));
  EXPECT_FALSE(glob_match_any({"x", "b*"}, "abc"));
  EXPECT_FALSE(glob_match_any({}, ""));
}

}  // namespace
}  // namespace fusebox::vfs
