#include "fleet/secrets/redactor.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace fusebox::fleet {
namespace {

struct RedactCase {
  const char* name;
  std::vector<std::string_view> values;
  const char* text;
  const char* want;
};

TEST(Redactor, TakesOutEveryByteOfEveryOccurrence) {
  const RedactCase cases[] = {
      {"no values", {}, "text", "text"},
      {"not there", {"secret"}, "public", "public"},
      {"alone", {"secret"}, "secret", "[REDACTED]"},
      {"twice", {"secret"}, "a secret, a secret.", "a [REDACTED], a [REDACTED]."},
      {"side by side", {"secret"}, "secretsecret", "[REDACTED][REDACTED]"},
      {"three bytes stay", {"abc"}, "abc", "abc"},
      {"four bytes go", {"abcd"}, "xabcdx", "x[REDACTED]x"},
      {"the longer wins", {"pass", "password"}, "password pass", "[REDACTED] [REDACTED]"},
      {"one inside another", {"bcde", "abcdef"}, "xabcdefx bcde", "x[REDACTED]x [REDACTED]"},
      {"overlapping values", {"abcd", "cdef"}, "-abcdef-", "-[REDACTED]-"},
      {"overlapping itself", {"aaaa"}, "baaaaaab", "b[REDACTED]b"},
      {"a chain", {"abcd", "cdef", "efgh"}, "abcdefgh", "[REDACTED]"},
      {"a long one swallows short ones", {"bcde", "fghi", "abcdefghij"}, "abcdefghij", "[REDACTED]"},
      {"a false start", {"ababac"}, "abababac", "ab[REDACTED]"},
      {"a value that is the mark", {"[REDACTED]"}, "x[REDACTED]x", "x[REDACTED]x"},
  };
  for (const RedactCase& c : cases) EXPECT_EQ(Redactor(c.values).redact(c.text), c.want) << c.name;
  EXPECT_EQ(Redactor(std::map<std::string, std::string>{{"K", "secret"}, {"S", ""}}).redact("K=secret"),
            "K=[REDACTED]");
}

// What the header promises, byte by byte.
std::string slow_redact(const std::vector<std::string_view>& values, std::string_view text) {
  std::vector<int> run(text.size(), 0);             // 0 = stays, else the byte is covered
  std::vector<bool> starts(text.size() + 1, true);  // no occurrence spans this border
  for (const std::string_view value : values) {
    if (value.size() < kRedactedBytesMin) continue;
    for (std::size_t at = text.find(value); at != std::string_view::npos; at = text.find(value, at + 1)) {
      for (std::size_t i = at; i < at + value.size(); ++i) run[i] = 1;
      for (std::size_t i = at + 1; i < at + value.size(); ++i) starts[i] = false;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (run[i] == 0) {
      out += text[i];
    } else if (i == 0 || run[i - 1] == 0 || starts[i]) {
      out += "[REDACTED]";
    }
  }
  return out;
}

TEST(Redactor, AgreesWithLookingForEachValue) {
  base::SeededRandom random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> values(1 + random.below(6));
    for (std::string& value : values) {
      for (std::uint64_t i = 0, size = random.below(9); i < size; ++i)
        value += static_cast<char>('a' + random.below(2));
    }
    std::string text;
    for (std::uint64_t i = 0, size = random.below(40); i < size; ++i) text += static_cast<char>('a' + random.below(3));
    const std::vector<std::string_view> views(values.begin(), values.end());
    ASSERT_EQ(Redactor(views).redact(text), slow_redact(views, text)) << round;
  }
}

TEST(Redactor, HostileValuesCostNoMoreThanTheirLength) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < 256; ++i) values.push_back(std::string(4000 + i, 'a') + "b");
  const std::vector<std::string_view> views(values.begin(), values.end());
  const Redactor redactor(views);
  const std::string text(4u << 20, 'a');
  EXPECT_EQ(redactor.redact(text), text);
}

}  // namespace
}  // namespace fusebox::fleet
