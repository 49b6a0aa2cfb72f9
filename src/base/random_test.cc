#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

namespace fusebox::base {
namespace {

// Gives the words of a list, then zeros.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(std::vector<std::uint64_t> words) : words_(std::move(words)) {}
  void fill(std::span<std::byte> out) override {
    ASSERT_EQ(out.size(), sizeof(std::uint64_t));
    const std::uint64_t word = used_ < words_.size() ? words_[used_] : 0;
    ++used_;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(word >> (8 * i) & 0xff);
  }
  std::size_t used() const noexcept { return used_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t used_ = 0;
};

TEST(SeededRandom, RepeatsForASeedAndDiffersForAnother) {
  SeededRandom a(42);
  SeededRandom b(42);
  SeededRandom c(43);
  const std::uint64_t first = a.next_u64();
  EXPECT_EQ(first, b.next_u64());
  EXPECT_NE(first, c.next_u64());
  EXPECT_NE(first, a.next_u64());
}

TEST(SeededRandom, IsSplitMix64) {
  SeededRandom random(1234567);
  EXPECT_EQ(random.next_u64(), 6457827717110365317u);
  EXPECT_EQ(random.next_u64(), 3203168211198807973u);
}

TEST(SeededRandom, FillsTails) {
  SeededRandom random(1);
  std::array<std::byte, 11> out{};
  random.fill(out);
  EXPECT_NE(out[10], std::byte{0});  // seed 1: the third byte of the second word is not 0
  random.fill({});
}

TEST(SystemRandom, FillsAllOfALargeBuffer) {
  SystemRandom random;
  std::vector<std::byte> out(1u << 20);
  random.fill(out);
  // 4096 zero bytes in a row at the end would mean that it was not reached.
  bool any = false;
  for (std::size_t i = out.size() - 4096; i < out.size(); ++i) any = any || out[i] != std::byte{0};
  EXPECT_TRUE(any);
  EXPECT_NE(random.next_u64(), random.next_u64());
}

TEST(Below, DrawsAgainWhereRemaindersWouldBeUneven) {
  // 2^64 mod 10 = 6: the words 0..5 are thrown away, 6 is the first that counts.
  ScriptedRandom low({0, 5, 6});
  EXPECT_EQ(low.below(10), 6u);
  EXPECT_EQ(low.used(), 3u);
  ScriptedRandom top({std::numeric_limits<std::uint64_t>::max()});
  EXPECT_EQ(top.below(10), 5u);
  EXPECT_EQ(top.used(), 1u);
}

TEST(Below, NeverDrawsAgainForPowersOfTwo) {
  for (const std::uint64_t bound : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1} << 63}) {
    ScriptedRandom random({0});
    EXPECT_EQ(random.below(bound), 0u);
    EXPECT_EQ(random.used(), 1u);
  }
}

TEST(Below, ReachesEveryValueAndNoOther) {
  SeededRandom random(3);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) {
    const std::uint64_t value = random.below(7);
    ASSERT_LT(value, 7u);
    ++seen[value];
  }
  for (const int count : seen) EXPECT_NEAR(count, 1000, 150);  // the seed is fixed: this never varies
}

TEST(BelowDeathTest, RefusesAnEmptyRange) {
  SeededRandom random(3);
  EXPECT_DEATH(random.below(0), "fusebox: fatal: Random::below: the bound is 0");
}

}  // namespace
}  // namespace fusebox::base
