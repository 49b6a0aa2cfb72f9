#include "base/ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace fusebox::base {
namespace {

using namespace std::chrono_literals;

// Always the same byte: makes carries and collisions certain.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(unsigned char byte) noexcept : byte_(byte) {}
  void fill(std::span<std::byte> out) override { std::ranges::fill(out, std::byte{byte_}); }

 private:
  unsigned char byte_;
};

TEST(Uuid, IsVersionSevenWithTheTimeInFront) {
  ManualClock clock(1'700'000'000'123ms);
  ConstantRandom random(0xff);
  IdSource source(clock, random);
  // 1700000000123 = 0x18bcfe5687b
  EXPECT_EQ(source.uuid().text(), "018bcfe5-687b-7fff-bfff-ffffffffffff");
  ConstantRandom zeros(0);
  IdSource other(clock, zeros);
  EXPECT_EQ(other.uuid().text(), "018bcfe5-687b-7000-8000-000000000000");
}

TEST(Uuid, KeepsVersionAndVariantThroughCarries) {
  ManualClock clock(1'700'000'000'123ms);
  ConstantRandom random(0xff);
  IdSource source(clock, random);
  source.uuid();
  const Uuid second = source.uuid();  // every random bit was set: the carry runs into the milliseconds
  EXPECT_EQ(second.text(), "018bcfe5-687c-7000-8000-0000ffffffff");
}

template <class Make>
void expect_increasing(ManualClock& clock, Make make) {
  auto last = make();
  const auto expect_next = [&] {
    const auto next = make();
    EXPECT_LT(last, next);
    EXPECT_LT(last.text(), next.text());
    last = next;
  };
  for (int i = 0; i < 100; ++i) expect_next();  // the clock stands still
  clock.set_wall(clock.wall() - 1h);
  for (int i = 0; i < 100; ++i) expect_next();
  clock.set_wall(-5s);
  expect_next();
  clock.set_wall(1'800'000'000s);
  expect_next();
}

TEST(IdSource, IncreasesWhateverTheClockDoes) {
  for (const int byte : {0x00, 0x7f, 0xff}) {
    ManualClock clock;
    ConstantRandom random(static_cast<unsigned char>(byte));
    IdSource source(clock, random);
    expect_increasing(clock, [&] { return source.uuid(); });
    clock.set_wall(1'700'000'000s);
    expect_increasing(clock, [&] { return source.ulid(); });
  }
}

TEST(IdSource, NextIdInsideAMillisecondIsNotTheLastPlusOne) {
  ManualClock clock;
  SeededRandom random(7);
  IdSource source(clock, random);
  std::set<std::string> tails;
  for (int i = 0; i < 50; ++i) tails.insert(source.uuid().text().substr(28));
  EXPECT_EQ(tails.size(), 50u);
  Uuid before = source.uuid();
  const Uuid after = source.uuid();
  before.bytes[15] = static_cast<std::byte>(std::to_integer<unsigned>(before.bytes[15]) + 1);
  EXPECT_NE(before, after);
}

TEST(IdSource, GivesDistinctIdsToThreads) {
  const RealClock clock;
  SystemRandom random;
  IdSource source(clock, random);
  std::vector<std::vector<Uuid>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : made) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) mine.push_back(source.uuid());
      });
    }
  }
  std::set<Uuid> all;
  for (const auto& mine : made) {
    EXPECT_TRUE(std::ranges::is_sorted(mine));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 2000u);
}

TEST(Uuid, ReadsBackEitherCase) {
  const std::string text = "018bcfe5-687b-7fff-bfff-0123456789ab";
  EXPECT_EQ(Uuid::parse(text).value().text(), text);
  EXPECT_EQ(Uuid::parse("018BCFE5-687B-7FFF-BFFF-0123456789AB").value().text(), text);
}

TEST(Uuid, RefusesOtherForms) {
  for (const std::string text : {"", "018bcfe5687b7fffbfff0123456789ab", "018bcfe5-687b-7fff-bfff-0123456789a",
                                 "018bcfe5-687b-7fff-bfff-0123456789abc", "018bcfe5-687b-7fff-bfff-0123456789ag",
                                 "018bcfe56-87b-7fff-bfff-0123456789ab", "018bcfe5-687b-7fff-bfff--123456789ab"}) {
    SCOPED_TRACE(text);
    const Result<Uuid> got = Uuid::parse(text);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::invalid);
    EXPECT_EQ(got.error().message,
              "id \"" + text + "\" is no UUID; allowed is a text such as 0199aa00-0000-7000-8000-000000000000");
  }
}

TEST(Ulid, HasTimeThenRandomBits) {
  ManualClock clock(1'469'918'176'385ms);  // the time of the specification's example, 01ARYZ6S41...
  ConstantRandom random(0xff);
  IdSource source(clock, random);
  EXPECT_EQ(source.ulid().text(), "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(source.ulid().text().substr(0, 10), "01ARYZ6S42");
}

TEST(Ulid, ReadsBackAndForgivesLookAlikes) {
  const std::string text = "01ARYZ6S41TSV4RRFFQ69G5FAV";
  EXPECT_EQ(Ulid::parse(text).value().text(), text);
  EXPECT_EQ(Ulid::parse("olaryz6s4ltsv4rrffq69g5fav").value().text(), text);
  EXPECT_EQ(Ulid::parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ").value().text(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(Ulid, RefusesOtherForms) {
  for (const char* text : {"", "01ARYZ6S41TSV4RRFFQ69G5FA", "01ARYZ6S41TSV4RRFFQ69G5FAVV", "01ARYZ6S41TSV4RRFFQ69G5FAU",
                           "01ARYZ6S41TSV4RRFFQ69G5F-V", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ"}) {
    SCOPED_TRACE(text);
    const Result<Ulid> got = Ulid::parse(text);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::invalid);
    EXPECT_NE(got.error().message.find("is no ULID; allowed are 26 characters"), std::string::npos);
  }
}

}  // namespace
}  // namespace fusebox::base
