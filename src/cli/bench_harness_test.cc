#include "cli/bench_harness.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/bench_report.h"

namespace fusebox::cli::bench {
namespace {

Samples samples_of(std::initializer_list<double> values) {
  Samples samples;
  for (const double value : values) samples.add(value);
  return samples;
}

TEST(BenchSamples, PercentilesAreValuesThatWereMeasured) {
  Samples hundred;
  for (int i = 100; i > 0; --i) hundred.add(i);
  EXPECT_EQ(hundred.least(), 1);
  EXPECT_EQ(hundred.median(), 50);
  EXPECT_EQ(hundred.p99(), 99);
  EXPECT_EQ(hundred.percentile(100), 100);
  hundred.add(101);
  EXPECT_EQ(hundred.median(), 51);
  EXPECT_EQ(hundred.p99(), 100);
  EXPECT_EQ(samples_of({7}).p99(), 7);
  EXPECT_EQ(samples_of({7}).least(), 7);
  EXPECT_EQ(Samples().median(), 0);
}

TEST(BenchInterleave, MeasuresInTurnsAndThrowsTheFirstRoundAway) {
  std::string order;
  const auto variant = [&order](char name) {
    return Variant{std::string(1, name), [&order, name](Samples& samples) -> base::Result<void> {
                     order += name;
                     samples.add(static_cast<double>(order.size()));
                     return {};
                   }};
  };
  const Variant variants[] = {variant('a'), variant('b'), variant('c')};
  const auto taken = interleave(variants, 3);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(order,
            "abc"
            "abc"
            "bca"
            "cab");
  EXPECT_EQ(std::vector<double>((*taken)[0].values().begin(), (*taken)[0].values().end()),
            (std::vector<double>{4, 9, 11}));
}

TEST(BenchInterleave, AFailureNamesItsVariant) {
  const Variant variants[] = {
      {"second guest", [](Samples&) -> base::Result<void> { return base::fail(base::Errc::bug, "trapped"); }}};
  const auto taken = interleave(variants, 1);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message, "second guest: trapped");
}

TEST(BenchInterleave, RoundsAreBounded) {
  EXPECT_TRUE(interleave({}, kRoundsMax));
  for (const std::size_t rounds : {std::size_t{0}, kRoundsMax + 1}) {
    const auto taken = interleave({}, rounds);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, base::Errc::invalid);
    EXPECT_EQ(taken.error().message, "benchmark rounds are " + std::to_string(rounds) + "; allowed are 1 to 100000");
  }
}

// A clock that every reading moves on by the same time.
class TickingClock final : public base::Clock {
 public:
  explicit TickingClock(std::int64_t step_ns) : step_ns_(step_ns) {}
  base::Nanos monotonic() const noexcept override { return base::Nanos{now_ns_ += step_ns_}; }
  base::Nanos wall() const noexcept override { return base::Nanos{0}; }
  base::Nanos thread_cpu() const noexcept override { return base::Nanos{0}; }
  void pass(std::int64_t ns) const { now_ns_ += ns; }

 private:
  std::int64_t step_ns_;
  mutable std::int64_t now_ns_ = 0;
};

TEST(BenchStopwatch, TakesTheClockItselfOff) {
  const TickingClock clock(25);
  const Stopwatch watch(clock);
  EXPECT_EQ(watch.clock_cost_ns(), 25);
  EXPECT_EQ(watch.time_ns([&] { clock.pass(1000); }), 1000);
  EXPECT_EQ(watch.time_ns([] {}), 0);
  EXPECT_EQ(watch.net_ns(base::Nanos{24}), 0);
}

Row row_with(double median, double p99) {
  Row row = row_of("a.row", "a row", "ns", samples_of({median}));
  row.p99 = p99;
  return row;
}

TEST(BenchRow, EveryDemandOfATargetCounts) {
  Row row = row_with(12, 50);
  EXPECT_EQ(verdict_text(row), "-");
  EXPECT_EQ(target_text(row), "-");

  row.target.median_max = 12;
  row.target.p99_max = 50;
  EXPECT_EQ(verdict_text(row), "met");
  EXPECT_EQ(target_text(row), "median <= 12 ns, p99 <= 50 ns");
  row.median = 12.6;
  EXPECT_EQ(verdict_text(row), "missed by 5.0 %");
  row.p99 = 75;
  EXPECT_EQ(verdict_text(row), "missed by 50 %");
}

TEST(BenchRow, RatiosSayCostOrShare) {
  Row cost = row_with(30, 30);
  cost.target.ratio_max = 1.5;
  compare(cost, "other", samples_of({20}));
  EXPECT_EQ(ratio_text(cost), "1.50x");
  EXPECT_EQ(verdict_text(cost), "met");
  EXPECT_EQ(target_text(cost), "<= 1.50x");

  Row share = row_with(30, 30);
  share.ratio_kind = RatioKind::share;
  share.target.ratio_min = 0.92;
  compare(share, "other", samples_of({27.6}));
  EXPECT_EQ(ratio_text(share), "92.0 %");
  EXPECT_EQ(verdict_text(share), "met");
  EXPECT_EQ(target_text(share), ">= 92 %");
  compare(share, "other", samples_of({23}));
  EXPECT_EQ(verdict_text(share), "missed by 17 %");
}

TEST(BenchRow, BestOfComparesTheLeastDisturbedSamples) {
  const Samples samples = samples_of({100, 40, 90});
  Row row = row_of("a", "a", "ms", samples);
  row.ratio_kind = RatioKind::share;
  compare_best(row, "other", samples, samples_of({30, 80, 90}));
  EXPECT_EQ(row.ratio, 0.75);
  EXPECT_EQ(row.baseline->median, 80);
}

TEST(BenchRow, ATargetOfNothingIsMissedByAnything) {
  Row row = row_with(0, 0);
  row.target.p99_max = 0;
  EXPECT_EQ(verdict_text(row), "met");
  row.p99 = 1;
  EXPECT_EQ(verdict_text(row), "missed by 100 %");
}

TEST(BenchRow, NumbersHaveThreeDigits) {
  struct Case {
    double value;
    const char* text;
  };
  constexpr Case kCases[] = {{0, "0"},     {1234.4, "1234"}, {123.4, "123"},      {99.95, "100"}, {12.34, "12.3"},
                             {12.0, "12"}, {1.234, "1.23"},  {0.01234, "0.0123"}, {-1.5, "-1.5"}, {1e-9, "0"}};
  for (const Case& c : kCases) EXPECT_EQ(number_text(c.value), c.text);
}

Report report_with_one_row() {
  Report report;
  report.machine = {"A Processor", 2, "6.1", "0.10", 25, "2026-11-21T15:33:00.000000Z"};
  Row row = row_of("call.a", "guest→host", "µs", samples_of({1.5, 2.5}));
  row.target.median_max = 1;
  row.note = "a note";
  compare(row, "empty loop", samples_of({0.5}));
  report.rows.push_back(row);
  report.problems.push_back("stop: no timer");
  return report;
}

TEST(BenchReport, TableAlignsCharactersNotBytes) {
  EXPECT_EQ(table_text(report_with_one_row()),
            "A Processor, 2 cores, Linux 6.1, load 0.10, a clock reading takes 25 ns\n"
            "\n"
            "line        median  p99  unit  baseline        ratio  target          verdict\n"
            "guest→host     1.5  2.5  µs    0.5 empty loop  3.00x  median <= 1 µs  missed by 50 %\n"
            "\n"
            "guest→host: a note\n"
            "not measured: stop: no timer\n");
}

TEST(BenchReport, JsonHoldsEveryColumn) {
  const auto document = base::json::parse(json_text(report_with_one_row()));
  ASSERT_TRUE(document) << document.error().message;
  const base::json::Node* rows = document->root->find("rows");
  ASSERT_NE(rows, nullptr);
  ASSERT_EQ(rows->elements().size(), 1u);
  const base::json::Node& row = rows->elements()[0];
  EXPECT_EQ(row.find("name")->string(), "call.a");
  EXPECT_EQ(row.find("median")->number(), 1.5);
  EXPECT_EQ(row.find("p99")->number(), 2.5);
  EXPECT_EQ(row.find("unit")->string(), "µs");
  EXPECT_EQ(row.find("baseline")->find("median")->number(), 0.5);
  EXPECT_EQ(row.find("ratio")->number(), 3);
  EXPECT_EQ(row.find("target")->find("median_max")->number(), 1);
  EXPECT_EQ(row.find("verdict")->string(), "missed");
  EXPECT_EQ(document->root->find("problems")->elements()[0].string(), "stop: no timer");
}

}  // namespace
}  // namespace fusebox::cli::bench
