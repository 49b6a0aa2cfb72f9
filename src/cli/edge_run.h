// `fusebox edge run`: a deployment on this machine, from its configuration to the exit status.
//
// Threads  one call at a time per process (SIGINT handling belongs to the process).
#pragma once

#include <string>
#include <vector>

#include "cli/streams.h"

namespace fusebox::cli {

struct EdgeRunOptions {
  std::string config;
  std::string run_for;  // "" = until interrupted
  std::vector<std::string> module_dirs;
  std::vector<std::string> devices;
  std::vector<std::string> posts;
  std::string trace;  // "" = none
  bool strict = false;
  bool log = false;
  bool json = false;
};

int edge_run(const EdgeRunOptions& options, const Streams& streams);

}  // namespace fusebox::cli
