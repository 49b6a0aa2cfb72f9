// The lines of `make bench` for containers: start to exit, fairness, very many that sleep, an idle engine.
//
// Threads  the bench's and those of the engine it measures.
#pragma once

#include <cstddef>

#include "cli/bench_lines.h"
#include "heavy_lines.h"

namespace fusebox::cli::bench {

Rows measure_container_start(const Conditions& conditions);                               // container.start*
Rows measure_container_pipe(const Conditions& conditions);                                // container.pipe.guests
Rows measure_container_fairness(const Conditions& conditions);                            // container.fair*
Rows measure_container_crowd(const Conditions& conditions, const HeavyOptions& options);  // container.crowd*, .idle

// What the program started by measure_container_crowd() does: one JSON object on standard output.
int run_container_child(std::size_t sleepers);

}  // namespace fusebox::cli::bench
