// Takes over host tokens that a Fuse database written without a key holds in clear: they are sealed before anything is
// asked of a host. Only where the operator says so (ORCH_IMPORT_PLAINTEXT).
//
// Contract control-plane.md 17.2
// Threads  the executor's.
#pragma once

#include <string>
#include <vector>

#include "base/task.h"
#include "fleet/secrets/vault.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

// The hosts whose tokens were sealed. What no key opens and no header could carry stays as it is: its host is unreachable,
// as without this.
base::Task<base::Result<std::vector<std::string>>> seal_clear_tokens(Store& store, Vault& vault,
                                                                     base::Executor& executor);

}  // namespace fusebox::fleet
