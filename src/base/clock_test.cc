#include "base/clock.h"

#include <gtest/gtest.h>

#include <string>

namespace fusebox::base {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock(1'000s);
  EXPECT_EQ(clock.monotonic(), 0ns);
  EXPECT_EQ(clock.wall(), 1'000s);
  clock.advance(5ms);
  EXPECT_EQ(clock.monotonic(), 5ms);
  EXPECT_EQ(clock.thread_cpu(), 5ms);
  EXPECT_EQ(clock.wall(), 1'000s + 5ms);
}

TEST(ManualClock, WallJumpsWithoutMonotonicTime) {
  ManualClock clock(1'000s);
  clock.advance(7s);
  clock.set_wall(10s);
  EXPECT_EQ(clock.wall(), 10s);
  EXPECT_EQ(clock.monotonic(), 7s);
  clock.advance(1s);
  EXPECT_EQ(clock.wall(), 11s);
}

TEST(RealClock, ReadsTheSystem) {
  const RealClock clock;
  const Nanos before = clock.monotonic();
  EXPECT_GE(clock.monotonic(), before);
  EXPECT_GT(clock.thread_cpu(), 0ns);
  EXPECT_GT(format_rfc3339(clock.wall()), "2024");  // fails if seconds and nanoseconds were mixed up
  EXPECT_LT(format_rfc3339(clock.wall()), "2200");
}

TEST(Rfc3339, WritesMicrosecondsAndRoundsDown) {
  EXPECT_EQ(format_rfc3339(0ns), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_rfc3339(1'700'000'000s + 1999ns), "2023-11-14T22:13:20.000001Z");
  EXPECT_EQ(format_rfc3339(-1ns), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_rfc3339(Nanos::max()), "2262-04-11T23:47:16.854775Z");
  EXPECT_EQ(format_rfc3339(Nanos::min()), "1677-09-21T00:12:43.145224Z");
}

struct TimeCase {
  const char* text;
  Nanos want;
};
constexpr TimeCase kTimes[] = {
    {"1970-01-01T00:00:00Z", 0ns},
    {"2023-11-14T22:13:20.000001Z", 1'700'000'000s + 1us},
    {"2023-11-14t22:13:20z", 1'700'000'000s},
    {"2023-11-14 22:13:20Z", 1'700'000'000s},
    {"2023-11-15T00:13:20+02:00", 1'700'000'000s},
    {"2023-11-14T16:43:20-05:30", 1'700'000'000s},
    {"2023-11-14T22:13:20-00:00", 1'700'000'000s},
    {"2023-11-14T22:13:20.123456789999Z", 1'700'000'000s + 123'456'789ns},
    {"2023-11-14T22:13:20.5Z", 1'700'000'000s + 500ms},
    {"2024-02-29T00:00:00Z", 1'709'164'800s},
    {"2016-12-31T23:59:60Z", 1'483'228'800s},
    {"1969-12-31T23:59:59.5Z", -500ms},
};

TEST(Rfc3339, ReadsEveryFormWithAnOffset) {
  for (const TimeCase& c : kTimes) {
    SCOPED_TRACE(c.text);
    const Result<Nanos> got = parse_rfc3339(c.text);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(*got, c.want);
  }
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text : {"",
                           "2023",
                           "2023-11-14",
                           "2023-11-14T22:13:20",
                           "2023-11-14T22:13Z",
                           "2023-11-14T22:13:20.Z",
                           "2023-11-14T22:13:20,5Z",
                           "23-11-14T22:13:20Z",
                           "2023-1-14T22:13:20Z",
                           "2023-13-14T22:13:20Z",
                           "2023-00-14T22:13:20Z",
                           "2023-02-29T22:13:20Z",
                           "2023-11-31T22:13:20Z",
                           "2023-11-14T24:13:20Z",
                           "2023-11-14T22:60:20Z",
                           "2023-11-14T22:13:61Z",
                           "2023-11-14T22:13:20+24:00",
                           "2023-11-14T22:13:20+02:60",
                           "2023-11-14T22:13:20+0200",
                           "2023-11-14T22:13:20Z ",
                           "+023-11-14T22:13:20Z",
                           "2300-01-01T00:00:00Z",
                           "0000-01-01T00:00:00Z"}) {
    SCOPED_TRACE(text);
    const Result<Nanos> got = parse_rfc3339(text);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::invalid);
  }
  const std::string allowed = "; allowed is RFC 3339 such as 2026-11-21T15:33:00Z";
  EXPECT_EQ(parse_rfc3339("tomorrow").error().message,
            "time \"tomorrow\" is not written as a date and time with an offset" + allowed);
  EXPECT_EQ(parse_rfc3339("2023-02-29T22:13:20Z").error().message,
            "time \"2023-02-29T22:13:20Z\" names a day or hour that does not exist" + allowed);
  EXPECT_EQ(parse_rfc3339("2300-01-01T00:00:00Z").error().message,
            "time \"2300-01-01T00:00:00Z\" lies outside the years 1678 to 2261" + allowed);
}

TEST(Rfc3339, ReadsBackWhatItWrites) {
  for (const Nanos time : {Nanos{0}, Nanos{1'700'000'000s + 42us}, Nanos{-3h}}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(time)).value(), time);
  }
}

}  // namespace
}  // namespace fusebox::base
