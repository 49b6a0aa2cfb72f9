// The lines of `make bench` for the control plane: real servers as processes, asked over HTTP by this one.
//
// Threads  one thread.
// Errors   `not_found`: a line that needs PostgreSQL, and there is none.
#pragma once

#include "cli/bench_lines.h"

namespace fusebox::cli::bench {

Rows measure_fleet_sandboxes(const Conditions& conditions);  // fleet.first_output, .exec, .fork*, .idle
Rows measure_fleet_creates(const Conditions& conditions);    // fleet.create*, fleet.destroy*
Rows measure_fleet_reads(const Conditions& conditions);      // fleet.get*, .list*, .restart: among 100,000
Rows measure_fleet_events(const Conditions& conditions);     // fleet.events*
Rows measure_fleet_placement(const Conditions& conditions);  // fleet.place*

}  // namespace fusebox::cli::bench
