#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace fusebox::base {
namespace {

using namespace std::string_literals;

std::string text_of(const Bytes& bytes) {
  return std::string(as_text(bytes));
}

struct RangeCase {
  const char* name;
  std::uint64_t at, size, limit;
  bool want;
};
constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();
constexpr RangeCase kRangeCases[] = {
    {"whole memory", 0, 65536, 65536, true},
    {"empty at the very end", 65536, 0, 65536, true},
    {"empty one past the end", 65537, 0, 65536, false},
    {"last byte", 65535, 1, 65536, true},
    {"one byte past the end", 65536, 1, 65536, false},
    {"sum wraps to a small number", kTop, 2, 65536, false},
    {"size wraps", 1, kTop, 65536, false},
    {"nothing fits in no memory", 0, 1, 0, false},
    {"all there is", 0, kTop, kTop, true},
};

TEST(InBounds, AcceptsExactlyWhatLiesInside) {
  for (const RangeCase& c : kRangeCases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(in_bounds(c.at, c.size, c.limit), c.want);
  }
}

TEST(Hex, GoesBothWays) {
  EXPECT_EQ(to_hex(as_bytes("\x00\x7f\xff\xa5"s)), "007fffa5");
  EXPECT_EQ(text_of(from_hex("007fFFa5").value()), "\x00\x7f\xff\xa5"s);
  EXPECT_EQ(to_hex({}), "");
  EXPECT_TRUE(from_hex("").value().empty());
}

TEST(Hex, RefusesOddLengthAndForeignCharacters) {
  EXPECT_EQ(from_hex("abc").error().code, Errc::invalid);
  EXPECT_EQ(from_hex("abc").error().message, "hexadecimal text has 3 digits; two make one byte");
  EXPECT_EQ(from_hex("0g").error().message, "character 2 is no hexadecimal digit; allowed are 0-9, a-f and A-F");
  EXPECT_EQ(from_hex("00G0").error().message, "character 3 is no hexadecimal digit; allowed are 0-9, a-f and A-F");
  for (const char c : "/:@`G \xff"s) EXPECT_FALSE(from_hex(std::string(2, c)));
}

TEST(Base64, MatchesTheExamplesOfRfc4648) {
  constexpr std::pair<std::string_view, std::string_view> kExamples[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, encoded] : kExamples) {
    SCOPED_TRACE(plain);
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    EXPECT_EQ(text_of(from_base64(encoded).value()), plain);
  }
  EXPECT_EQ(to_base64(as_bytes("\xfb\xff\xfe")), "+//+");
}

TEST(Base64, RefusesEverySecondSpelling) {
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "Z===", "====", "Zg==\n", " Zg==", "Zm9v Zg==", "-_8=",
                                      "Zg==Zg==", "Zm=v", "Zh==", "Zm9=", "\xff\xff\xff\xff"}) {
    SCOPED_TRACE(text);
    ASSERT_FALSE(from_base64(text));
    EXPECT_EQ(from_base64(text).error().code, Errc::invalid);
  }
  EXPECT_EQ(from_base64("Zg").error().message,
            "base64 text has 2 characters; a multiple of 4 is needed, padded with =");
  EXPECT_EQ(from_base64("Zh==").error().message, "base64 text is not canonical: its last digit has unused bits set");
  EXPECT_EQ(from_base64("Z*9v").error().message, "character 2 is no base64 digit; allowed are A-Z, a-z, 0-9, + and /");
}

struct Utf8Case {
  const char* name;
  std::string text;
  bool want;
};
const Utf8Case kUtf8Cases[] = {
    {"empty", "", true},
    {"ascii with NUL", "a\0b"s, true},
    {"two bytes, lowest", "\xc2\x80", true},
    {"overlong NUL", "\xc0\x80", false},
    {"overlong slash", "\xc1\xaf", false},
    {"three bytes, lowest", "\xe0\xa0\x80", true},
    {"overlong in three", "\xe0\x9f\xbf", false},
    {"last before the surrogates", "\xed\x9f\xbf", true},
    {"first surrogate", "\xed\xa0\x80", false},
    {"last surrogate", "\xed\xbf\xbf", false},
    {"first after the surrogates", "\xee\x80\x80", true},
    {"four bytes, lowest", "\xf0\x90\x80\x80", true},
    {"overlong in four", "\xf0\x8f\xbf\xbf", false},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", true},
    {"U+110000", "\xf4\x90\x80\x80", false},
    {"lead f5", "\xf5\x80\x80\x80", false},
    {"lone continuation", "\x80", false},
    {"cut after two of three", "\xe2\x82", false},
    {"lead before ascii", "\xe2\x28\xa1", false},
    {"bad third byte", "\xe2\x82\x28", false},
    {"bad byte after eight good ones", "12345678\xff", false},
    {"bad byte inside a word of eight",
     "1234\xff"
     "678",
     false},
    {"good after a word of eight",
     "1234567890\xc3\xa9"
     "12345678",
     true},
};

TEST(Utf8, AcceptsExactlyWellFormedText) {
  for (const Utf8Case& c : kUtf8Cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(is_utf8(c.text), c.want);
  }
}

TEST(Utf8, KnowsHowFarTextIsValid) {
  EXPECT_EQ(utf8_valid_prefix("abc"), 3u);
  EXPECT_EQ(utf8_valid_prefix("ab\xff"
                              "c"),
            2u);
  EXPECT_EQ(utf8_valid_prefix("\xe2\x82"), 0u);
}

TEST(Utf8, CutsBetweenCharacters) {
  const std::string_view text =
      "a\xe2\x82\xac"
      "b";  // a, euro sign, b
  EXPECT_EQ(utf8_prefix(text, 0), "");
  EXPECT_EQ(utf8_prefix(text, 1), "a");
  EXPECT_EQ(utf8_prefix(text, 2), "a");
  EXPECT_EQ(utf8_prefix(text, 3), "a");
  EXPECT_EQ(utf8_prefix(text, 4), "a\xe2\x82\xac");
  EXPECT_EQ(utf8_prefix(text, 5), text);
  EXPECT_EQ(utf8_prefix(text, 500), text);
}

TEST(Utf8, ReplacesWhatIsNotValid) {
  EXPECT_EQ(to_utf8("plain \xc3\xa9"), "plain \xc3\xa9");
  EXPECT_EQ(to_utf8("a\xff\xfe"
                    "b"),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(to_utf8("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(EqualConstantTime, ComparesSizeAndContent) {
  EXPECT_TRUE(equal_constant_time(as_bytes("secret"), as_bytes("secret")));
  EXPECT_FALSE(equal_constant_time(as_bytes("secret"), as_bytes("secres")));
  EXPECT_FALSE(equal_constant_time(as_bytes("secret"), as_bytes("tecret")));
  EXPECT_FALSE(equal_constant_time(as_bytes("secret"), as_bytes("secre")));
  EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace fusebox::base
