// How `fusebox run` says what happened: a sentence for people, one JSON object for programs, an exit status for
// scripts.
//
// Threads  pure functions.
#pragma once

#include <string>

#include "cli/streams.h"
#include "fusebox/sandbox.h"

namespace fusebox::cli {

// The object of `fusebox run --json`: execution_id, outcome, code, message, result, exit_code, trap, usage.
std::string report_json(const capability::Report& report);

// What went wrong, the guest's backtrace and what was used; empty for a run that completed.
std::string report_text(const std::string& artifact, const capability::Report& report);

// One line: "used 12 ms CPU, ...".
std::string usage_text(const engine::Usage& usage);

int exit_status(const capability::Report& report);

}  // namespace fusebox::cli
