// Runs a real program for a test and keeps all it says.
//
// Threads  any thread; each call has a process of its own.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

namespace fusebox::testing {

struct Finished {
  int status = -1;  // exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::string input{};
  std::string folder{};                                                           // "" = where the test runs
  std::vector<std::string> environment{};                                         // NAME=VALUE, added to the test's own
  std::function<void(int pid, const std::string& err_so_far)> on_error_output{};  // called as standard error grows
};

// Waits for the end; kills the process after kProcessSecondsMax, which then shows as 128 + SIGKILL.
Finished run_process(const std::vector<std::string>& command, const ProcessOptions& options = {});

inline constexpr int kProcessSecondsMax = 120;

}  // namespace fusebox::testing
