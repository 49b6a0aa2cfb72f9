// The lines of `make bench` for images: opening one of 100 MiB and 20,000 files, and finding files in it.
//
// Threads  one thread.
#pragma once

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

Rows measure_image(const Conditions& conditions);  // container.image*

}  // namespace fusebox::cli::bench
