#include "fleet/engine/boot_steps.h"

#include <algorithm>

namespace fusebox::fleet {

// Steps in the order they are recorded.
bool done_before(const Boot& boot, std::string_view step) {
  static constexpr std::string_view kOrder[] = {"intent",       "placed",         "pull",        "host_create_sent",
                                                "host_created", "script_started", "script_done", "agent_started"};
  const auto at = [](std::string_view name) { return std::ranges::find(kOrder, name) - std::ranges::begin(kOrder); };
  return boot.interrupted && at(boot.op.step) >= at(step);
}

// Hosts are told apart from providers of this process: what those did ends with the process or is found again by its name,
// so their steps need no record of their own.
base::Task<base::Result<void>> record_step(Core& core, Boot& boot, std::string_view step) {
  if (boot.row.host_id.empty() && step != "script_started" && step != "script_done") co_return base::Result<void>{};
  boot.op.step = step;
  boot.op.updated_at = core.wall();
  co_return co_await core.commit(step, [&](Tx& tx) -> base::Result<void> {
    tx.update_operation(boot.op);
    return {};
  });
}

}  // namespace fusebox::fleet
