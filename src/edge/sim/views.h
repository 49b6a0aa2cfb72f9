// Who looks on at a run: a table that renews itself on a terminal, or the log's entries as lines.
//
// Threads  one thread.
#pragma once

#include <deque>
#include <iosfwd>
#include <string>

#include "edge/sim/runner.h"

namespace fusebox::edge::sim {

// "     12.345 ms  attitude    INFO   text": control characters of a guest are replaced.
std::string log_line(const fuse_log_record_t& record, std::string_view module);

class LogLines final : public View {
 public:
  explicit LogLines(std::ostream& out) : out_(out) {}
  void log(const fuse_log_record_t& record, std::string_view module) override;
  void show(const RunReport&) override {}

 private:
  std::ostream& out_;
};

// The table and the newest log lines, written over the ones before.
class LiveTable final : public View {
 public:
  LiveTable(std::ostream& out, std::size_t columns) : out_(out), columns_(columns) {}  // longer lines are cut
  void log(const fuse_log_record_t& record, std::string_view module) override;
  void show(const RunReport& report) override;
  void clear();  // takes the table away, for what is printed last

 private:
  std::ostream& out_;
  std::size_t columns_;
  std::deque<std::string> lines_;
  std::size_t shown_ = 0;  // lines on the screen
};

}  // namespace fusebox::edge::sim
