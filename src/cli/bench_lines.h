// The lines both `fusebox bench` and `make bench` measure, and what runs a list of lines.
//
// Threads  one thread.
// Errors   a line that cannot be measured is a problem of the report; the others are measured all the same.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/bench_harness.h"
#include "cli/bench_report.h"
#include "cli/bench_row.h"

namespace fusebox::cli::bench {

struct Conditions {
  const Stopwatch* watch = nullptr;
  std::size_t rounds = 100;
};

using Rows = base::Result<std::vector<Row>>;

// One measurement; it may give several rows that were measured in turns.
struct Line {
  std::string_view name;  // the beginning of its rows' names
  std::function<Rows(const Conditions&)> measure;
};

Rows measure_guest_to_host(const Conditions& conditions);   // call.guest_to_host*
Rows measure_host_to_guest(const Conditions& conditions);   // call.host_to_guest*
Rows measure_life(const Conditions& conditions);            // life*: instantiate, call, tear down
Rows measure_execute(const Conditions& conditions);         // execute*: Sandbox::execute end to end
Rows measure_stop_lateness(const Conditions& conditions);   // stop.late*
Rows measure_stop_exactness(const Conditions& conditions);  // stop.ticks

// Those above, in the order of the table.
std::span<const Line> quick_lines();

// Measures the lines whose name contains `only` ("" = all); says on `progress` what it is at.
Report measure(std::span<const Line> lines, const Conditions& conditions, std::string_view only,
               std::ostream& progress);

}  // namespace fusebox::cli::bench
