#include "cli/bench_report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <thread>

#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/version.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kProcFileBytesMax = 1u << 20;  // /proc/cpuinfo has about 1.5 KiB a core
constexpr std::size_t kColumns = 8;
using Cells = std::array<std::string, kColumns>;

std::string processor_name() {
  const auto text = base::read_file("/proc/cpuinfo", kProcFileBytesMax);
  if (!text) return "unknown";
  constexpr std::string_view kKey = "model name";
  const std::size_t at = text->find(kKey);
  if (at == std::string::npos) return "unknown";
  const std::size_t begin = text->find(':', at);
  const std::size_t end = text->find('\n', at);
  if (begin == std::string::npos || end == std::string::npos || begin + 2 > end) return "unknown";
  return text->substr(begin + 2, end - begin - 2);
}

std::string load_average() {
  const auto text = base::read_file("/proc/loadavg", kProcFileBytesMax);
  return text ? text->substr(0, text->find(' ')) : "unknown";
}

Cells cells_of(const Row& row) {
  const std::string baseline = row.baseline ? number_text(row.baseline->median) + " " + row.baseline->name : "-";
  return {row.line, number_text(row.median), number_text(row.p99), row.unit,
          baseline, ratio_text(row),         target_text(row),     verdict_text(row)};
}

// Characters, not bytes: a line may hold arrows and micro signs.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }));
}

constexpr bool right_aligned(std::size_t column) {
  return column == 1 || column == 2 || column == 5;
}

std::string table_line(const Cells& cells, const std::array<std::size_t, kColumns>& widths) {
  std::string line;
  for (std::size_t column = 0; column < kColumns; ++column) {
    const std::string padding(widths[column] - width_of(cells[column]), ' ');
    if (column > 0) line += "  ";
    line += right_aligned(column) ? padding + cells[column] : cells[column] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

void write_target(base::json::Writer& json, const Row& row) {
  const auto field = [&json](std::string_view key, const std::optional<double>& value) {
    if (value) json.key(key).number(*value);
  };
  json.key("target").begin_object();
  field("median_max", row.target.median_max);
  field("p99_max", row.target.p99_max);
  field("ratio_max", row.target.ratio_max);
  field("ratio_min", row.target.ratio_min);
  json.end_object();
}

void write_row(base::json::Writer& json, const Row& row) {
  json.begin_object();
  json.key("name").string(row.name);
  json.key("line").string(row.line);
  json.key("unit").string(row.unit);
  json.key("median").number(row.median);
  json.key("p99").number(row.p99);
  json.key("samples").unsigned_integer(row.samples);
  json.key("baseline");
  if (row.baseline) {
    json.begin_object();
    json.key("name").string(row.baseline->name);
    json.key("median").number(row.baseline->median);
    json.key("p99").number(row.baseline->p99);
    json.end_object();
    json.key("ratio").number(row.ratio);
    json.key("ratio_kind").string(row.ratio_kind == RatioKind::share ? "share" : "cost");
  } else {
    json.null();
    json.key("ratio").null();
    json.key("ratio_kind").null();
  }
  write_target(json, row);
  constexpr std::string_view kVerdicts[] = {"none", "met", "missed"};
  json.key("verdict").string(kVerdicts[static_cast<std::size_t>(judge(row).verdict)]);
  json.key("note").string(row.note);
  json.end_object();
}

}  // namespace

Machine describe_machine(const Stopwatch& watch) {
  Machine machine;
  machine.processor = base::to_utf8(processor_name());
  machine.cores = std::thread::hardware_concurrency();
  utsname system{};
  if (::uname(&system) == 0) machine.kernel = base::to_utf8(system.release);
  machine.load_average = load_average();
  machine.clock_cost_ns = watch.clock_cost_ns();
  machine.measured_at = base::format_rfc3339(watch.clock().wall());
  return machine;
}

std::string table_text(const Report& report) {
  const Machine& machine = report.machine;
  std::string text = machine.processor + ", " + std::to_string(machine.cores) + " cores, Linux " + machine.kernel +
                     ", load " + machine.load_average + ", a clock reading takes " +
                     number_text(machine.clock_cost_ns) + " ns\n\n";
  std::vector<Cells> lines = {{"line", "median", "p99", "unit", "baseline", "ratio", "target", "verdict"}};
  for (const Row& row : report.rows) lines.push_back(cells_of(row));
  std::array<std::size_t, kColumns> widths{};
  for (const Cells& cells : lines) {
    for (std::size_t column = 0; column < kColumns; ++column) {
      widths[column] = std::max(widths[column], width_of(cells[column]));
    }
  }
  for (const Cells& cells : lines) text += table_line(cells, widths);
  bool noted = false;
  for (const Row& row : report.rows) {
    if (row.note.empty()) continue;
    text += (noted ? "" : "\n") + row.line + ": " + row.note + '\n';
    noted = true;
  }
  for (const std::string& problem : report.problems) text += "not measured: " + problem + '\n';
  return text;
}

std::string json_text(const Report& report) {
  base::json::Writer json;
  json.begin_object();
  json.key("fusebox").string(version());
  json.key("machine").begin_object();
  json.key("processor").string(report.machine.processor);
  json.key("cores").unsigned_integer(report.machine.cores);
  json.key("kernel").string(report.machine.kernel);
  json.key("load_average").string(report.machine.load_average);
  json.key("clock_cost_ns").number(report.machine.clock_cost_ns);
  json.key("measured_at").string(report.machine.measured_at);
  json.end_object();
  json.key("rows").begin_array();
  for (const Row& row : report.rows) write_row(json, row);
  json.end_array();
  json.key("problems").begin_array();
  for (const std::string& problem : report.problems) json.string(problem);
  json.end_array();
  json.end_object();
  return json.take();
}

}  // namespace fusebox::cli::bench
