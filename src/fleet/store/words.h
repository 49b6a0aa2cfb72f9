// From the words in the tables back to the enumerations of records.h. Internal to fleet/store.
//
// Threads  pure functions.
#pragma once

#include <string_view>

#include "fleet/store/records.h"

namespace fusebox::fleet {

EnvironmentState environment_state(std::string_view word) noexcept;
HostState host_state(std::string_view word) noexcept;
Reachability reachability(std::string_view word) noexcept;
TaskStatus task_status(std::string_view word) noexcept;
SnapshotState snapshot_state(std::string_view word) noexcept;
OperationState operation_state(std::string_view word) noexcept;

}  // namespace fusebox::fleet
