// The lines of `make bench` for calls of WASI: writing to nothing, and to a pipe.
//
// Threads  one thread.
#pragma once

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

Rows measure_wasi(const Conditions& conditions);  // container.write*

}  // namespace fusebox::cli::bench
