// Whether the next write would be taken. Internal to fleet/store.
//
// Threads  as Committer::submit().
// Contract control-plane.md 4
#pragma once

#include "base/task.h"
#include "fleet/store/committer.h"

namespace fusebox::fleet {

inline constexpr base::Nanos kProbeMax = std::chrono::seconds{2};  // contract

// A write without effect behind those that wait. `unavailable`: it was not done within kProbeMax.
base::Task<base::Result<void>> probe_write(Committer& committer, base::Executor& executor);
// Its result, or a read's, as it is told.
StoreStatus status_of(const base::Result<void>& probed);

}  // namespace fusebox::fleet
