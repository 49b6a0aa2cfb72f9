// Other programs, started and waited for.
//
// Threads  any thread.
// Errors   `io` when the program cannot be started; how it ended is the caller's to judge.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace fusebox::cli::bench {

struct ChildOptions {
  std::vector<std::string> arguments;    // the program's path first
  std::vector<std::string> environment;  // "NAME=value", the whole of it
  std::string output = "/dev/null";      // file that gets its standard output
};

// The exit status, or 128 and the signal that ended it.
base::Result<int> run_child(const ChildOptions& options);

}  // namespace fusebox::cli::bench
