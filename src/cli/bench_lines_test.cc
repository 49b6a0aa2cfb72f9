#include "cli/bench_lines.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"

namespace fusebox::cli::bench {
namespace {

// Benchmarks run so seldom that they rot: here each runs twice. Only that there
// are figures is checked, never which.
TEST(BenchLines, EveryQuickLineGivesFigures) {
#if defined(FUSEBOX_TSAN)
  GTEST_SKIP() << "the sanitizer leaves no address space for the pools they take";
#endif
  const base::RealClock clock;
  const Stopwatch watch(clock);
  std::ostringstream progress;
  const Report report = measure(quick_lines(), {&watch, 2}, "", progress);
  EXPECT_TRUE(report.problems.empty()) << report.problems.front();
  EXPECT_GE(report.rows.size(), quick_lines().size());
  for (const Row& row : report.rows) {
    SCOPED_TRACE(row.name);
    EXPECT_FALSE(row.line.empty());
    EXPECT_FALSE(row.unit.empty());
    EXPECT_GE(row.samples, 2u);
    EXPECT_GE(row.p99, row.median);
    if (row.baseline) {
      EXPECT_GT(row.baseline->median, 0);
    }
  }
}

TEST(BenchLines, OnlyNamesWhatIsMeasured) {
  const base::RealClock clock;
  const Stopwatch watch(clock);
  const Line lines[] = {
      {"call.one", [](const Conditions&) -> Rows { return std::vector{row_of("call.one", "one", "ns", Samples())}; }},
      {"stop.two", [](const Conditions&) -> Rows { return base::fail(base::Errc::unavailable, "no timer"); }},
  };
  std::ostringstream progress;
  EXPECT_EQ(measure(lines, {&watch, 1}, "call", progress).rows.size(), 1u);
  EXPECT_EQ(progress.str(), "measuring call.one\n");
  const Report stop = measure(lines, {&watch, 1}, "stop", progress);
  EXPECT_TRUE(stop.rows.empty());
  EXPECT_EQ(stop.problems, std::vector<std::string>{"stop.two: no timer"});
}

}  // namespace
}  // namespace fusebox::cli::bench
