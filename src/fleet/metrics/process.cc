#include "fleet/metrics/process.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/files.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kProcBytesMax = 1u << 20;  // /proc/stat has a line per processor

std::string read_or_empty(const char* path) {
  return base::read_file(path, kProcBytesMax).value_or("");
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{}) return std::nullopt;
  return value;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> list;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \t\n");
    if (begin == std::string_view::npos) return list;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(" \t\n"), text.size());
    list.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// The number after `name` at the start of a line.
std::optional<std::int64_t> line_number(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at != 0 && text[at - 1] != '\n') continue;
    const std::size_t digits = text.find_first_not_of(' ', at + name.size());
    return digits == std::string_view::npos ? std::nullopt : number(text.substr(digits));
  }
  return std::nullopt;
}

std::string seconds_text(std::int64_t ticks, std::int64_t per_second) {
  const std::int64_t hundredths = ticks % per_second * 100 / per_second;
  return std::to_string(ticks / per_second) + "." + (hundredths < 10 ? "0" : "") + std::to_string(hundredths);
}

void add(std::string& out, std::string_view name, std::string_view kind, std::string_view help, std::string value) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ").append(kind);
  out.append("\n").append(name).append(" ").append(value).append("\n");
}

}  // namespace

ProcessFiles read_process_files() {
  ProcessFiles files;
  files.stat = read_or_empty("/proc/self/stat");
  files.limits = read_or_empty("/proc/self/limits");
  files.system_stat = read_or_empty("/proc/stat");
  files.ticks_per_second = std::max(1L, ::sysconf(_SC_CLK_TCK));
  files.page_bytes = std::max(1L, ::sysconf(_SC_PAGESIZE));
  std::error_code failure;
  std::filesystem::directory_iterator fds("/proc/self/fd", failure);
  for (files.open_fds = failure ? -1 : 0; !failure && fds != std::filesystem::directory_iterator{};
       fds.increment(failure)) {
    ++files.open_fds;
  }
  return files;
}

std::string process_metrics(const ProcessFiles& files) {
  std::string out;
  // The second field is the program's name in brackets, which may hold anything; the third comes after the last one.
  const std::size_t bracket = files.stat.rfind(')');
  const auto fields = words(bracket == std::string::npos ? "" : std::string_view(files.stat).substr(bracket + 1));
  const auto field = [&](std::size_t place) {  // numbered as in proc(5)
    return place - 3 < fields.size() ? number(fields[place - 3]) : std::nullopt;
  };
  const auto user = field(14);
  const auto system = field(15);
  if (user && system) {
    add(out, "process_cpu_seconds_total", "counter", "User and system time.",
        seconds_text(*user + *system, files.ticks_per_second));
  }
  if (const auto started = field(22)) {
    if (const auto boot = line_number(files.system_stat, "btime ")) {
      add(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.",
          seconds_text(*boot * files.ticks_per_second + *started, files.ticks_per_second));
    }
  }
  if (const auto bytes = field(23)) {
    add(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.", std::to_string(*bytes));
  }
  if (const auto pages = field(24)) {
    add(out, "process_resident_memory_bytes", "gauge", "Resident memory.", std::to_string(*pages * files.page_bytes));
  }
  if (files.open_fds >= 0) {
    add(out, "process_open_fds", "gauge", "Open file descriptors.", std::to_string(files.open_fds));
  }
  if (const auto most = line_number(files.limits, "Max open files")) {
    add(out, "process_max_fds", "gauge", "Most open file descriptors.", std::to_string(*most));
  }
  return out;
}

}  // namespace fusebox::fleet
