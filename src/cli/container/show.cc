#include "cli/container/show.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "cli/container/table.h"
#include "container/daemon/status_json.h"

namespace fusebox::cli {
namespace {

using container::State;
using container::Status;

// "3 seconds", "5 minutes", "2 hours", "4 days".
std::string rough(base::Nanos time) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  constexpr std::array<Unit, 4> kUnits{{{86'400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}}};
  const std::int64_t seconds = time.count() / 1'000'000'000;
  for (const Unit& unit : kUnits) {
    const std::int64_t count = seconds / unit.seconds;
    if (count >= 1) return std::to_string(count) + " " + unit.name + (count == 1 ? "" : "s");
  }
  return "less than a second";
}

// "12.5 MiB": for eyes, not exact.
std::string about(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits{"B", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f%%", share * 100);
  return text.data();
}

std::string milliseconds(base::Nanos time) {
  return std::to_string(time.count() / 1'000'000) + " ms";
}

double share(const Status& now, std::span<const Status> before, base::Nanos elapsed) {
  const auto old =
      std::ranges::find_if(before, [&](const Status& one) { return one.name == now.name && one.run == now.run; });
  if (old == before.end() || elapsed.count() <= 0) return 0;
  return static_cast<double>((now.cpu_total - old->cpu_total).count()) / static_cast<double>(elapsed.count());
}

}  // namespace

std::string image_text(const Status& status) {
  return status.version.empty() ? status.image : status.image + ":" + status.version;
}

std::string state_text(const Status& status) {
  std::string text;
  switch (status.state) {
    case State::running:
      text = "running " + rough(status.uptime);
      break;
    case State::exited:
      text = status.reason == "stopped" ? "stopped" : "exited (" + std::to_string(status.exit_code) + ")";
      break;
    case State::failure:
      text = "failure: " + status.reason;
      break;
    default:
      text = std::string(to_string(status.state));
  }
  if (status.restart_word == container::RestartWord::pending) text += ", restarts soon";
  if (status.restart_word == container::RestartWord::given_up) text += ", given up";
  return text;
}

void print_containers(std::ostream& out, std::span<const Status> all) {
  Table table({"NAME", "IMAGE", "STATE", "CPU", "MEMORY", "RESTARTS"});
  for (const Status& status : all)
    table.add({status.name, image_text(status), state_text(status), milliseconds(status.cpu_total),
               container::is_live(status.state) ? about(status.memory_bytes) : "-", std::to_string(status.restarts)});
  table.print(out);
}

void print_statistics(std::ostream& out, std::span<const Status> now, std::span<const Status> before,
                      base::Nanos elapsed) {
  Table table({"NAME", "CPU", "CPU TIME", "MEMORY", "LIMIT", "FDS", "EXECS"});
  for (const Status& status : now) {
    if (!container::is_live(status.state)) continue;
    table.add({status.name, percent(share(status, before, elapsed)), milliseconds(status.cpu_total),
               about(status.memory_bytes), status.memory_bytes_max == 0 ? "-" : about(status.memory_bytes_max),
               std::to_string(status.open_fds), std::to_string(status.execs)});
  }
  table.print(out);
}

std::string statuses_json(std::span<const Status> all) {
  base::json::Writer out;
  out.begin_array();
  for (const Status& status : all) container::write_status(out, status);
  out.end_array();
  return out.take();
}

}  // namespace fusebox::cli
