// Closures that share one commit. Internal to fleet/store.
//
// All run in one transaction; usually all of them hold and that is the whole story. When one does not, everything is
// rolled back and run again with a savepoint around each, so that a failure is its closure's alone and the others still
// share one commit. (Run one by one they would each wait for the disk: a client that repeats a failing request would slow
// down all others.)
//
// Threads  the writer's.
#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "base/wait.h"
#include "fleet/store/notice.h"
#include "fleet/store/sql.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

struct PendingWrite {
  Store::WriteWork work;
  base::Completion<base::Result<void>> done;
  base::Result<void> outcome;
};

inline constexpr int kBatchAttemptsMax =
    8;  // replicas that meet on the same rows; each attempt lets one of them through
inline constexpr std::string_view kTryAgain = "retry";  // Error::name of what another attempt may mend

// Sets every outcome. Returns what the committed ones have for the observer, in order; an error when the database, not a
// closure, was the reason (it is then every outcome).
base::Result<std::vector<Notice>> run_batch(sql::Connection& connection, const base::Clock& clock,
                                            std::span<PendingWrite> batch);

}  // namespace fusebox::fleet
