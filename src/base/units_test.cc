#include "base/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>

namespace fusebox::base {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

struct SizeCase {
  const char* text;
  std::optional<std::uint64_t> want;
};
constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();
const SizeCase kSizeCases[] = {
    {"0", 0},
    {"65536", 65536},
    {"64KiB", 65536},
    {"64 MiB", 67108864},
    {"1.5GiB", 1610612736},
    {"10kB", 10000},
    {"10KB", 10000},
    {"2MB", 2000000},
    {"1TiB", 1099511627776},
    {"7B", 7},
    {"1 byte", 1},
    {"1500 bytes", 1500},
    {"0.5KiB", 512},
    {"0.001kB", 1},
    {"18446744073709551615", kTop},
    {"18446744073709551616", std::nullopt},
    {"16777215TiB", 16777215u * 1099511627776u},
    {"16777216TiB", std::nullopt},
    {"0.3KiB", std::nullopt},
    {"1.5", std::nullopt},
    {"1.0", 1},
    {"1.0000000000000000001KiB", std::nullopt},
    {"", std::nullopt},
    {"KiB", std::nullopt},
    {"-1", std::nullopt},
    {"+1", std::nullopt},
    {"1e3", std::nullopt},
    {"1.", std::nullopt},
    {".5KiB", std::nullopt},
    {"64 ", std::nullopt},
    {" 64", std::nullopt},
    {"64  KiB", std::nullopt},
    {"64KiB ", std::nullopt},
    {"64Kib", std::nullopt},
    {"64K", std::nullopt},
    {"0x10", std::nullopt},
};

TEST(ParseSize, TakesWholeBytesAndNothingElse) {
  for (const SizeCase& c : kSizeCases) {
    SCOPED_TRACE(c.text);
    const Result<std::uint64_t> got = parse_size(c.text);
    ASSERT_EQ(got.has_value(), c.want.has_value());
    if (c.want) {
      EXPECT_EQ(*got, *c.want);
    } else {
      EXPECT_EQ(got.error().code, Errc::invalid);
    }
  }
}

TEST(ParseSize, SaysWhatWasGivenAndWhatIsAllowed) {
  const std::string allowed = "; allowed are whole bytes up to 2^64-1 such as 65536, 64KiB, 1.5GiB or 10kB";
  EXPECT_EQ(parse_size("64K").error().message, "size \"64K\" has an unknown unit" + allowed);
  EXPECT_EQ(parse_size("0.3KiB").error().message, "size \"0.3KiB\" is no whole number of bytes that fits" + allowed);
  EXPECT_EQ(parse_size("much").error().message, "size \"much\" does not start with a number that fits" + allowed);
  EXPECT_EQ(parse_size("1 ").error().message, "size \"1 \" ends with a space" + allowed);
}

struct DurationCase {
  const char* text;
  std::optional<std::chrono::nanoseconds> want;
};
const DurationCase kDurationCases[] = {
    {"250ns", 250ns},
    {"50us", 50us},
    {"5ms", 5ms},
    {"5 s", 5s},
    {"1.5s", 1500ms},
    {"2m", 2min},
    {"2 min", 2min},
    {"1h", 1h},
    {"1m30s", 90s},
    {"1h1m1s1ms1us1ns", 1h + 1min + 1s + 1ms + 1us + 1ns},
    {"0.5ns", std::nullopt},
    {"0.000000001s", 1ns},
    {"0s", 0s},
    {"9223372036854775807ns", std::chrono::nanoseconds::max()},
    {"9223372036854775808ns", std::nullopt},
    {"2562047h", std::chrono::hours{2562047}},
    {"2562048h", std::nullopt},
    {"5", std::nullopt},
    {"0", std::nullopt},
    {"", std::nullopt},
    {"s", std::nullopt},
    {"-5s", std::nullopt},
    {"5 parsecs", std::nullopt},
    {"30s1m", std::nullopt},
    {"1s1s", std::nullopt},
    {"1m1min", std::nullopt},
    {"1m30", std::nullopt},
    {"5s ", std::nullopt},
    {"5S", std::nullopt},
};

TEST(ParseDuration, TakesUnitsFromLargeToSmall) {
  for (const DurationCase& c : kDurationCases) {
    SCOPED_TRACE(c.text);
    const Result<std::chrono::nanoseconds> got = parse_duration(c.text);
    ASSERT_EQ(got.has_value(), c.want.has_value());
    if (c.want) {
      EXPECT_EQ(*got, *c.want);
    } else {
      EXPECT_EQ(got.error().code, Errc::invalid);
    }
  }
}

TEST(ParseDuration, NamesTheMistake) {
  const std::string allowed = "; allowed are up to 292 years in h, m, s, ms, us and ns such as 5s, 250ms or 1m30s";
  EXPECT_EQ(parse_duration("5").error().message, "duration \"5\" has a number without a unit" + allowed);
  EXPECT_EQ(parse_duration("5d").error().message, "duration \"5d\" has an unknown unit" + allowed);
  EXPECT_EQ(parse_duration("1s1h").error().message,
            "duration \"1s1h\" does not go from larger to smaller units" + allowed);
  EXPECT_THAT(parse_duration("0.1ns").error().message, HasSubstr("is no whole number of nanoseconds that fits"));
}

TEST(ParseDuration, ShowsHostileTextCutAndClean) {
  const std::string message = parse_duration("\xff" + std::string(1000, 'x')).error().message;
  EXPECT_THAT(message, StartsWith("duration \"\xef\xbf\xbdxxx"));
  EXPECT_LT(message.size(), 300u);
}

TEST(FormatSize, UsesTheLargestUnitThatDividesExactly) {
  EXPECT_EQ(format_size(0), "0 bytes");
  EXPECT_EQ(format_size(1), "1 byte");
  EXPECT_EQ(format_size(1500), "1500 bytes");
  EXPECT_EQ(format_size(65536), "64 KiB");
  EXPECT_EQ(format_size(65537), "65537 bytes");
  EXPECT_EQ(format_size(1536u << 20), "1536 MiB");
  EXPECT_EQ(format_size(std::uint64_t{1} << 40), "1 TiB");
  EXPECT_EQ(format_size(std::uint64_t{1} << 50), "1024 TiB");
  EXPECT_EQ(format_size(kTop), "18446744073709551615 bytes");
}

TEST(FormatDuration, UsesTheLargestUnitThatDividesExactly) {
  EXPECT_EQ(format_duration(0ns), "0 s");
  EXPECT_EQ(format_duration(5s), "5 s");
  EXPECT_EQ(format_duration(1500ms), "1500 ms");
  EXPECT_EQ(format_duration(50us), "50 us");
  EXPECT_EQ(format_duration(1ns), "1 ns");
  EXPECT_EQ(format_duration(60s), "1 min");
  EXPECT_EQ(format_duration(90s), "90 s");
  EXPECT_EQ(format_duration(2h), "2 h");
  EXPECT_EQ(format_duration(-5s), "-5 s");
  EXPECT_EQ(format_duration(std::chrono::nanoseconds::min()), "-9223372036854775808 ns");
}

TEST(Formats, ReadBackAsTheSameValue) {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1023}, std::uint64_t{1} << 30, kTop}) {
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
  }
  for (const std::chrono::nanoseconds d : {0ns, std::chrono::nanoseconds{1h}, std::chrono::nanoseconds{61min}, 999ns}) {
    EXPECT_EQ(parse_duration(format_duration(d)).value(), d);
  }
}

TEST(FormatCount, GroupsThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(65536), "65,536");
  EXPECT_EQ(format_count(kTop), "18,446,744,073,709,551,615");
}

}  // namespace
}  // namespace fusebox::base
