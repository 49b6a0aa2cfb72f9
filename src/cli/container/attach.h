// Joining a running container: a further process in it, or its own input and output.
//
// Threads  one call at a time per process; attach_to() has a second thread for input while it runs.
#pragma once

#include <string>
#include <vector>

#include "cli/streams.h"

namespace fusebox::cli {

// The exit status is the process's, as in `fusebox run`.
int exec_in(const std::string& name, const std::string& module, const std::vector<std::string>& words,
            const std::vector<std::string>& env, const Streams& streams);
// Until the container ends, this process is interrupted, or the engine goes.
int attach_to(const std::string& name, const Streams& streams);

}  // namespace fusebox::cli
