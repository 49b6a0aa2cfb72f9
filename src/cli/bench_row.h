// One row of the table: what was measured, what it is compared with, and whether its target was met.
//
// Threads  plain values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench_samples.h"

namespace fusebox::cli::bench {

// cost: this row's time over the baseline's, "1.90x", less is better.
// share: how much of the baseline's speed is left, "91.2 %", more is better.
enum class RatioKind : std::uint8_t { cost, share };

// What a row must keep. Absent = no demand.
struct Target {
  std::optional<double> median_max;
  std::optional<double> p99_max;
  std::optional<double> ratio_max;  // for RatioKind::cost
  std::optional<double> ratio_min;  // for RatioKind::share, as a fraction
};

struct Baseline {
  std::string name;
  double median = 0;
  double p99 = 0;
};

struct Row {
  std::string name;  // stable, for --only and for programs: "call.guest_to_host"
  std::string line;  // for people
  std::string unit;
  double median = 0;
  double p99 = 0;
  std::size_t samples = 0;
  std::optional<Baseline> baseline;
  RatioKind ratio_kind = RatioKind::cost;
  double ratio = 0;  // meaningless without a baseline
  Target target;
  std::string note;  // what a reader must know to judge the figures, "" mostly
};

enum class Verdict : std::uint8_t { no_target, met, missed };

struct Judgement {
  Verdict verdict = Verdict::no_target;
  double over = 0;  // how far the worst demand was missed, as a fraction of the demand
};

Judgement judge(const Row& row);
std::string verdict_text(const Row& row);  // "met", "missed by 13 %", "-"
std::string target_text(const Row& row);   // "median <= 12 ns, p99 <= 50 ns", "-"
std::string ratio_text(const Row& row);    // "1.90x", "91.2 %", "-"

// Three significant digits, without an exponent: "0.0123", "12.3", "1230".
std::string number_text(double value);

// Fills median, p99, samples, and with a baseline its figures and the ratio of the medians.
Row row_of(std::string name, std::string line, std::string unit, const Samples& samples);
void compare(Row& row, std::string baseline_name, const Samples& baseline);
// The same, but the ratio is that of the best samples: for long computations, where a disturbance only ever adds.
void compare_best(Row& row, std::string baseline_name, const Samples& samples, const Samples& baseline);

}  // namespace fusebox::cli::bench
