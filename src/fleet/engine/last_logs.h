// What an environment's provider logged, kept when the environment goes: it stays readable for as long as its events.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 5.4 (logs)
#pragma once

#include <vector>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// The newest 1 MiB of each source, in the order logged; nothing where the provider keeps none or does not answer soon.
base::Task<std::vector<host::LogRecord>> last_logs(Core& core, EnvironmentRow row);
// Before the row goes.
void write_logs(Tx& tx, const EnvironmentRow& row, const std::vector<host::LogRecord>& logs);

}  // namespace fusebox::fleet
