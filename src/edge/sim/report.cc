#include "edge/sim/report.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/json.h"
#include "base/units.h"
#include "edge/backend.h"

namespace fusebox::edge::sim {
namespace {

using base::format_count;
using base::json::Writer;

constexpr std::array kHeadings = {"module", "state",      "steps",    "last us", "worst us",
                                  "ticks",  "violations", "restarts", "missed"};
using Cells = std::array<std::string, kHeadings.size()>;
constexpr std::size_t kTextColumns = 2;  // these are set flush left, numbers flush right

Cells cells_of(const ModuleReport& module) {
  const fuse_module_info_t& info = module.info;
  return {module.name,
          std::string(state_name(info.state)) + (module.restarts_again ? ", restarts" : ""),
          format_count(info.steps_ok),
          format_count(info.step_last_us),
          format_count(info.step_max_us),
          format_count(info.ticks_last),
          format_count(module.violations),
          format_count(info.restarts),
          format_count(info.missed_periods)};
}

void add_line(std::string& to, const Cells& cells, const std::array<std::size_t, kHeadings.size()>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string space(widths[i] - cells[i].size(), ' ');
    if (i > 0) line += "  ";
    line += i < kTextColumns ? cells[i] + space : space + cells[i];
  }
  to += line + '\n';
}

void write_module(Writer& out, const ModuleReport& module) {
  const fuse_module_info_t& info = module.info;
  const auto count = [&out](const char* key, std::uint64_t value) { out.key(key).unsigned_integer(value); };
  out.begin_object().key("name").string(module.name);
  count("id", module.id);
  out.key("state").string(state_name(info.state)).key("restarts_again").boolean(module.restarts_again);
  count("steps_ok", info.steps_ok);
  count("step_last_us", info.step_last_us);
  count("step_max_us", info.step_max_us);
  count("ticks_last", info.ticks_last);
  count("ticks_total", info.ticks_total);
  count("traps", info.traps);
  count("quota_stops", info.quota_stops);
  count("violations", module.violations);
  count("restarts", info.restarts);
  count("missed_periods", info.missed_periods);
  count("missed_deadlines", info.missed_deadlines);
  count("events_delivered", info.events_delivered);
  count("events_coalesced", info.events_coalesced);
  count("log_written", info.log_written);
  count("log_dropped", info.log_dropped);
  count("pages", info.pages);
  count("pages_peak", info.pages_peak);
  out.key("trap_text").string(info.trap_text).end_object();
}

}  // namespace

Health ModuleReport::health() const noexcept {
  if (restarts_again) return Health::healthy;
  if (info.state == FUSE_MODULE_STATE_QUOTA_EXCEEDED) return Health::stopped;
  if (info.state != FUSE_MODULE_STATE_TRAPPED) return Health::healthy;
  return std::strcmp(info.trap_text, kTrapPolicy) == 0 ? Health::denied : Health::trapped;
}

Health RunReport::health() const noexcept {
  Health worst = Health::healthy;
  for (const ModuleReport& module : modules) worst = std::max(worst, module.health());
  return worst;
}

const char* state_name(fuse_module_state_t state) noexcept {
  switch (state) {
    case FUSE_MODULE_STATE_LOADED:
      return "LOADED";
    case FUSE_MODULE_STATE_RUNNING:
      return "RUNNING";
    case FUSE_MODULE_STATE_PAUSED:
      return "PAUSED";
    case FUSE_MODULE_STATE_TRAPPED:
      return "TRAPPED";
    case FUSE_MODULE_STATE_QUOTA_EXCEEDED:
      return "QUOTA_EXCEEDED";
    case FUSE_MODULE_STATE_UNLOADED:
      break;
  }
  return "UNLOADED";
}

std::string report_table(const RunReport& report) {
  std::vector<Cells> lines(1);
  std::ranges::copy(kHeadings, lines[0].begin());
  for (const ModuleReport& module : report.modules) lines.push_back(cells_of(module));
  std::array<std::size_t, kHeadings.size()> widths{};
  for (const Cells& cells : lines) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string text;
  for (const Cells& cells : lines) add_line(text, cells, widths);
  text += report.application + ": " + format_count(report.elapsed_us / 1000) + " ms, " + format_count(report.passes) +
          " passes, " + format_count(report.log.written) + " log entries";
  if (report.log.guest_dropped > 0) text += ", " + format_count(report.log.guest_dropped) + " more dropped";
  return text + (report.interrupted ? ", interrupted\n" : "\n");
}

std::string report_json(const RunReport& report, int exit_code) {
  Writer out;
  out.begin_object().key("application").string(report.application);
  out.key("elapsed_us").unsigned_integer(report.elapsed_us);
  out.key("passes").unsigned_integer(report.passes);
  out.key("interrupted").boolean(report.interrupted);
  out.key("exit_code").integer(exit_code);
  out.key("modules").begin_array();
  for (const ModuleReport& module : report.modules) write_module(out, module);
  out.end_array().key("log").begin_object();
  out.key("written").unsigned_integer(report.log.written);
  out.key("overwritten").unsigned_integer(report.log.overwritten);
  out.key("guest_dropped").unsigned_integer(report.log.guest_dropped);
  out.key("capacity").unsigned_integer(report.log.capacity);
  out.key("evidence_written").unsigned_integer(report.log.evidence_written);
  out.end_object().end_object();
  return out.take();
}

}  // namespace fusebox::edge::sim
