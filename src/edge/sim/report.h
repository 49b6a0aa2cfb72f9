// What a run looked like: counted once, shown as a table for people and as JSON for programs.
//
// Threads  plain values, pure functions.
// Units    microseconds of the run's clock; step times are what the stepping thread took, as fuse_module_info() gives them.
#pragma once

#include <string>
#include <vector>

#include "fuse_types.h"

namespace fusebox::edge::sim {

// Ordered: what counts for the whole is the greatest.
enum class Health : std::uint8_t {
  healthy,  // also: failed, and its automatic restart is still to come
  stopped,  // QUOTA_EXCEEDED
  trapped,  // TRAPPED
  denied,   // TRAPPED, because it used what its policy does not grant
};

struct ModuleReport {
  std::string name;
  fuse_module_id_t id = 0;
  fuse_module_info_t info{};
  std::uint64_t violations = 0;  // SECURITY entries of the log
  bool restarts_again = false;   // failed now, and its policy still grants a restart
  Health health() const noexcept;
};

struct RunReport {
  std::string application;
  std::uint64_t elapsed_us = 0;
  std::uint64_t passes = 0;  // calls of fuse_tick()
  bool interrupted = false;
  std::vector<ModuleReport> modules{};
  fuse_log_stats_t log{};
  Health health() const noexcept;
};

// "RUNNING", "TRAPPED", ...
const char* state_name(fuse_module_state_t state) noexcept;
// One line per module under a line of headings, then one line about the run.
std::string report_table(const RunReport& report);
// One object; `exit_code` is the command's.
std::string report_json(const RunReport& report, int exit_code);

}  // namespace fusebox::edge::sim
