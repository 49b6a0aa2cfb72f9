#include "edge/sim/views.h"

#include <algorithm>
#include <cstdio>
#include <ostream>

#include "edge/sim/limits.h"

namespace fusebox::edge::sim {
namespace {

constexpr std::size_t kNameWidth = 16;

std::string level_name(std::uint32_t level) {
  switch (level) {
    case FUSE_LOG_DEBUG:
      return "DEBUG";
    case FUSE_LOG_INFO:
      return "INFO";
    case FUSE_LOG_FATAL:
      return "FATAL";
    default:
      return std::to_string(level);
  }
}

}  // namespace

std::string log_line(const fuse_log_record_t& record, std::string_view module) {
  char head[96];
  const std::uint64_t at_us = record.entry.timestamp_us;
  std::string name(module.substr(0, kNameWidth));
  name.resize(kNameWidth, ' ');
  std::snprintf(head, sizeof head, "%8llu.%03u ms  %s  %-5s  ", static_cast<unsigned long long>(at_us / 1000),
                static_cast<unsigned>(at_us % 1000), name.c_str(), level_name(record.entry.level).c_str());
  std::string text = record.entry.message;
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, '?');
  return head + text;
}

void LogLines::log(const fuse_log_record_t& record, std::string_view module) {
  out_ << log_line(record, module) << '\n' << std::flush;
}

void LiveTable::log(const fuse_log_record_t& record, std::string_view module) {
  lines_.push_back(log_line(record, module));
  if (lines_.size() > kLogLinesShown) lines_.pop_front();
}

void LiveTable::show(const RunReport& report) {
  clear();
  std::string text = report_table(report);
  for (const std::string& line : lines_) text += line + '\n';
  for (std::size_t begin = 0; begin < text.size(); ++shown_) {
    const std::size_t end = text.find('\n', begin);
    out_ << std::string_view(text).substr(begin, std::min(end - begin, columns_)) << '\n';
    begin = end + 1;
  }
  out_ << std::flush;
}

void LiveTable::clear() {
  if (shown_ > 0) out_ << "\x1b[" << shown_ << "A\r\x1b[J";  // up, then erase what is below
  shown_ = 0;
}

}  // namespace fusebox::edge::sim
