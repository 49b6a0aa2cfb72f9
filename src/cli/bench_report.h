// What a run of benchmarks prints: a table for people, one JSON object for programs.
//
// Threads  pure functions, but for describe_machine(), which reads /proc.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/bench_harness.h"
#include "cli/bench_row.h"

namespace fusebox::cli::bench {

// What figures cannot be read without.
struct Machine {
  std::string processor;
  unsigned cores = 0;
  std::string kernel;
  std::string load_average;  // of the last minute, before the first row
  double clock_cost_ns = 0;
  std::string measured_at;  // RFC 3339
};
Machine describe_machine(const Stopwatch& watch);

struct Report {
  Machine machine;
  std::vector<Row> rows;
  std::vector<std::string> problems;  // lines that could not be measured, each with its reason
};

std::string table_text(const Report& report);
std::string json_text(const Report& report);

}  // namespace fusebox::cli::bench
