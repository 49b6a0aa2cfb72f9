// The edge runtime's lines of `make bench`, measured through fuse.h as a host program meets it.
//
// Threads  one thread, but for measure_edge_stop(), which starts one and joins it.
#pragma once

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

Rows measure_edge_step(const Conditions& conditions);    // edge.step*, edge.import*
Rows measure_edge_tick(const Conditions& conditions);    // edge.tick*
Rows measure_edge_load(const Conditions& conditions);    // edge.load
Rows measure_edge_stop(const Conditions& conditions);    // edge.stop*
Rows measure_edge_period(const Conditions& conditions);  // edge.period

}  // namespace fusebox::cli::bench
