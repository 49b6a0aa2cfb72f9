#include "cli/bench_lines.h"

#include <ostream>

namespace fusebox::cli::bench {

std::span<const Line> quick_lines() {
  static const Line kLines[] = {
      {"call.guest_to_host", measure_guest_to_host},
      {"call.host_to_guest", measure_host_to_guest},
      {"life", measure_life},
      {"execute", measure_execute},
      {"stop.late", measure_stop_lateness},
      {"stop.ticks", measure_stop_exactness},
  };
  return kLines;
}

Report measure(std::span<const Line> lines, const Conditions& conditions, std::string_view only,
               std::ostream& progress) {
  Report report;
  report.machine = describe_machine(*conditions.watch);
  for (const Line& line : lines) {
    if (!line.name.contains(only)) continue;
    progress << "measuring " << line.name << std::endl;
    Rows rows = line.measure(conditions);
    if (!rows) {
      report.problems.push_back(std::string(line.name) + ": " + rows.error().message);
      continue;
    }
    report.rows.insert(report.rows.end(), rows->begin(), rows->end());
  }
  return report;
}

}  // namespace fusebox::cli::bench
