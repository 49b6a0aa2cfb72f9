// The lines of `make bench` that `fusebox bench` leaves out: they need minutes, files or the raw engine.
//
// Threads  one thread, but for measure_throughput(), which starts its own and joins them.
#pragma once

#include <cstddef>
#include <string>

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

struct HeavyOptions {
  std::size_t compute_rounds = 12;  // each takes some two seconds over all variants
  std::size_t sandboxes = 100'000;  // live at once
  std::size_t containers = 10'000;  // live at once, of measure_container_crowd()
  std::size_t cold_runs = 200;
  std::size_t throughput_rounds = 15;  // each takes 0.8 seconds
  std::string own_program;             // started again for measure_density(), whose figures need an empty process
};

Rows measure_layouts(const Conditions& conditions);                                  // layout*
Rows measure_recompilation(const Conditions& conditions);                            // execute.recompile
Rows measure_compute(const Conditions& conditions, const HeavyOptions& options);     // compute*
Rows measure_density(const Conditions& conditions, const HeavyOptions& options);     // density*
Rows measure_cold_run(const Conditions& conditions, const HeavyOptions& options);    // run.cold*
Rows measure_throughput(const Conditions& conditions, const HeavyOptions& options);  // throughput*

// What the program started by measure_density() does: one JSON object on standard output.
int run_density_child(std::size_t sandboxes);

}  // namespace fusebox::cli::bench
