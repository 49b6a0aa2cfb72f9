// The line of `make bench` for pipes: how fast bytes pass from one container's thread to another's.
//
// Threads  two, which it starts and joins.
#pragma once

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

Rows measure_pipe(const Conditions& conditions);  // container.pipe

}  // namespace fusebox::cli::bench
