// The lines of `make bench` for files: opening, reading and closing one of an image and one of a host folder.
//
// Threads  one thread.
#pragma once

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

Rows measure_files(const Conditions& conditions);  // container.file*

}  // namespace fusebox::cli::bench
