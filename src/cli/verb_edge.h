// The subcommands of `fusebox edge`, one file each.
//
// Threads  one thread.
#pragma once

#include "cli/verb.h"

namespace fusebox::cli {

void add_edge_run(CLI::App& edge, VerbContext& context);
void add_edge_imports(CLI::App& edge, VerbContext& context);

}  // namespace fusebox::cli
