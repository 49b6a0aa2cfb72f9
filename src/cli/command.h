// The whole command: parses arguments, runs the verb, returns the exit status.
//
// Threads  one call at a time per process (SIGINT handling belongs to the process).
#pragma once

#include <span>

#include "cli/streams.h"

namespace fusebox::cli {

int run_command(std::span<const char* const> arguments, const Streams& streams);

}  // namespace fusebox::cli
