#include "edge/sim/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <sstream>

#include "base/json.h"
#include "edge/sim/limits.h"
#include "edge/sim/views.h"

namespace fusebox::edge::sim {
namespace {

RunReport example() {
  RunReport report{.application = "satellite", .elapsed_us = 1'234'567, .passes = 1'000};
  ModuleReport healthy{.name = "attitude", .id = 0};
  healthy.info.state = FUSE_MODULE_STATE_RUNNING;
  healthy.info.steps_ok = 12'345;
  healthy.info.step_max_us = 77;
  ModuleReport failed{.name = "x", .id = 1, .violations = 2};
  failed.info.state = FUSE_MODULE_STATE_TRAPPED;
  std::strcpy(failed.info.trap_text, "unreachable");
  report.modules = {healthy, failed};
  report.log.written = 9;
  return report;
}

fuse_log_record_t record(std::uint64_t at_us, std::uint32_t level, const char* text) {
  fuse_log_record_t out{};
  out.entry.timestamp_us = at_us;
  out.entry.level = level;
  std::strcpy(out.entry.message, text);
  return out;
}

TEST(Report, IsATable) {
  EXPECT_EQ(report_table(example()),
            "module    state     steps  last us  worst us  ticks  violations  restarts  missed\n"
            "attitude  RUNNING  12,345        0        77      0           0         0       0\n"
            "x         TRAPPED       0        0         0      0           2         0       0\n"
            "satellite: 1,234 ms, 1,000 passes, 9 log entries\n");
}

TEST(Report, SaysWhatElseHappened) {
  RunReport report = example();
  report.interrupted = true;
  report.log.guest_dropped = 5;
  report.modules[1].restarts_again = true;
  const std::string table = report_table(report);
  EXPECT_THAT(table, testing::HasSubstr("9 log entries, 5 more dropped, interrupted\n"));
  EXPECT_THAT(table, testing::HasSubstr("TRAPPED, restarts"));
}

TEST(Report, IsOneObject) {
  const auto document = base::json::parse(report_json(example(), 134));
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->root->find("exit_code")->as_u64(), 134u);
  EXPECT_EQ(document->root->find("elapsed_us")->as_u64(), 1'234'567u);
  const auto& modules = document->root->find("modules")->elements();
  ASSERT_EQ(modules.size(), 2u);
  EXPECT_EQ(modules[0].find("steps_ok")->as_u64(), 12'345u);
  EXPECT_EQ(modules[1].find("state")->string(), "TRAPPED");
  EXPECT_EQ(modules[1].find("trap_text")->string(), "unreachable");
  EXPECT_EQ(modules[1].find("violations")->as_u64(), 2u);
}

TEST(Report, TheWorstModuleDecidesHealth) {
  RunReport report = example();
  EXPECT_EQ(report.health(), Health::trapped);
  report.modules[0].info.state = FUSE_MODULE_STATE_QUOTA_EXCEEDED;
  EXPECT_EQ(report.health(), Health::trapped);
  std::strcpy(report.modules[1].info.trap_text, "FUSE policy violation");
  EXPECT_EQ(report.health(), Health::denied);
  report.modules[1].info.state = FUSE_MODULE_STATE_RUNNING;
  EXPECT_EQ(report.health(), Health::stopped);
  report.modules[0].info.state = FUSE_MODULE_STATE_PAUSED;
  EXPECT_EQ(report.health(), Health::healthy);
}

TEST(LogLine, ReplacesWhatATerminalWouldObey) {
  EXPECT_EQ(log_line(record(12'345, FUSE_LOG_INFO, "a\x1b[2Jb\xff\n"), "attitude"),
            "      12.345 ms  attitude          INFO   a?[2Jb??");
  EXPECT_THAT(log_line(record(0, 77, "x"), "m"), testing::HasSubstr("  77     x"));
  EXPECT_THAT(log_line(record(0, FUSE_LOG_FATAL, "x"), std::string(100, 'n')), testing::HasSubstr("  FATAL  x"));
}

TEST(LiveTable, IsWrittenOverItselfWithTheNewestLines) {
  std::ostringstream out;
  LiveTable table(out, 40);
  for (std::size_t i = 0; i < kLogLinesShown + 2; ++i) table.log(record(i, FUSE_LOG_INFO, "entry"), "m");
  table.show(example());
  const std::string first = out.str();
  EXPECT_EQ(std::ranges::count(first, '\n'), static_cast<std::ptrdiff_t>(4 + kLogLinesShown));
  for (std::size_t begin = 0; begin < first.size(); begin = first.find('\n', begin) + 1) {
    EXPECT_LE(first.find('\n', begin) - begin, 40u);
  }
  EXPECT_THAT(first, testing::Not(testing::HasSubstr("\x1b")));
  table.show(example());
  EXPECT_THAT(out.str().substr(first.size()), testing::StartsWith("\x1b[12A\r\x1b[J"));
  table.clear();
  const std::size_t size = out.str().size();
  table.clear();
  EXPECT_EQ(out.str().size(), size) << "nothing is left to take away";
}

TEST(LogLines, AreOneEach) {
  std::ostringstream out;
  LogLines lines(out);
  lines.log(record(1, FUSE_LOG_DEBUG, "module 0 running"), "m");
  EXPECT_EQ(out.str(), "       0.001 ms  m                 DEBUG  module 0 running\n");
}

}  // namespace
}  // namespace fusebox::edge::sim
