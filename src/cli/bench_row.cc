#include "cli/bench_row.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace fusebox::cli::bench {
namespace {

double share_of(double baseline, double value) {
  return value > 0 ? baseline / value : 0;
}
double cost_of(double baseline, double value) {
  return baseline > 0 ? value / baseline : 0;
}

double ratio_of(RatioKind kind, double baseline, double value) {
  return kind == RatioKind::share ? share_of(baseline, value) : cost_of(baseline, value);
}

void demand_at_most(Judgement& judgement, std::optional<double> most, double value) {
  if (!most) return;
  judgement.verdict = std::max(judgement.verdict, value <= *most ? Verdict::met : Verdict::missed);
  if (value > *most) judgement.over = std::max(judgement.over, *most > 0 ? value / *most - 1 : 1.0);
}

void demand_at_least(Judgement& judgement, std::optional<double> least, double value) {
  if (!least) return;
  judgement.verdict = std::max(judgement.verdict, value >= *least ? Verdict::met : Verdict::missed);
  if (value < *least) judgement.over = std::max(judgement.over, 1 - value / *least);
}

std::string percent_text(double fraction, int decimals) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %%", decimals, fraction * 100);
  return text;
}

std::string times_text(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, ratio < 0.1 ? "%.4fx" : "%.2fx", ratio);
  return text;
}

}  // namespace

Judgement judge(const Row& row) {
  Judgement judgement;
  demand_at_most(judgement, row.target.median_max, row.median);
  demand_at_most(judgement, row.target.p99_max, row.p99);
  demand_at_most(judgement, row.target.ratio_max, row.ratio);
  demand_at_least(judgement, row.target.ratio_min, row.ratio);
  return judgement;
}

std::string verdict_text(const Row& row) {
  const Judgement judgement = judge(row);
  if (judgement.verdict == Verdict::no_target) return "-";
  if (judgement.verdict == Verdict::met) return "met";
  return "missed by " + percent_text(judgement.over, judgement.over < 0.1 ? 1 : 0);
}

std::string target_text(const Row& row) {
  std::string text;
  const auto add = [&text](const std::string& demand) { text += (text.empty() ? "" : ", ") + demand; };
  if (row.target.median_max) add("median <= " + number_text(*row.target.median_max) + " " + row.unit);
  if (row.target.p99_max) add("p99 <= " + number_text(*row.target.p99_max) + " " + row.unit);
  if (row.target.ratio_max) add("<= " + times_text(*row.target.ratio_max));
  if (row.target.ratio_min) add(">= " + percent_text(*row.target.ratio_min, 0));
  return text.empty() ? "-" : text;
}

std::string ratio_text(const Row& row) {
  if (!row.baseline) return "-";
  return row.ratio_kind == RatioKind::share ? percent_text(row.ratio, 1) : times_text(row.ratio);
}

std::string number_text(double value) {
  const double size = std::abs(value);
  int decimals = 0;
  if (size > 0 && size < 99.95) decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 6);
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  std::string trimmed = text;
  if (decimals == 0) return trimmed;
  trimmed.erase(trimmed.find_last_not_of('0') + 1);
  if (trimmed.ends_with('.')) trimmed.pop_back();
  return trimmed;
}

Row row_of(std::string name, std::string line, std::string unit, const Samples& samples) {
  Row row;
  row.name = std::move(name);
  row.line = std::move(line);
  row.unit = std::move(unit);
  row.median = samples.median();
  row.p99 = samples.p99();
  row.samples = samples.count();
  return row;
}

void compare(Row& row, std::string baseline_name, const Samples& baseline) {
  row.baseline = Baseline{std::move(baseline_name), baseline.median(), baseline.p99()};
  row.ratio = ratio_of(row.ratio_kind, row.baseline->median, row.median);
}

void compare_best(Row& row, std::string baseline_name, const Samples& samples, const Samples& baseline) {
  compare(row, std::move(baseline_name), baseline);
  row.ratio = ratio_of(row.ratio_kind, baseline.least(), samples.least());
}

}  // namespace fusebox::cli::bench
