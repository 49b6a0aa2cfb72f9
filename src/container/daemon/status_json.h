// A container's Status as JSON, the same for the daemon's socket and for --json of the command line.
//
// Threads  pure functions.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "container/control.h"

namespace fusebox::container {

void write_status(base::json::Writer& out, const Status& status);
std::string status_json(const Status& status);
// What write_status() wrote; unknown keys are ignored, so that a newer engine can be asked by an older command.
Status read_status(const base::json::Node& node);

}  // namespace fusebox::container
