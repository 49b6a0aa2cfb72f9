// Creation: from a checked request to a recorded intent and its boot.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 5.2, 9.4 steps 1-3, 12.4, 15.1
#pragma once

#include <optional>
#include <string>

#include "fleet/engine/boot.h"
#include "fleet/engine/core.h"

namespace fusebox::fleet {

// What a new environment is made from, beside the request itself.
struct Origin {
  std::string kind = "create";  // of the operation: create, fork, migrate
  std::string vm_id;            // "" = prefix + task id
  std::string tenant;           // the environment's
  std::optional<SnapshotRow> seed;
  std::string source_vm_id, source_snapshot_id;
  std::string fork_of;       // host name of the source on the chosen host
  std::string prefer_host;   // the source's: taken if it fits
  std::string exclude_host;  // never taken
  Store::WriteWork also;     // joins the intent's transaction
};

base::Task<base::Result<Outcome>> create_environment(Core& core, RequestInfo info, CreateRequest request,
                                                     Origin origin);

// The demand of a request with effective sizes.
schedule::Demand demand_of(const CreateRequest& request);
// A name that hosts take unchanged (8.2).
std::string host_name_of(std::string_view vm_id);

// The first outcome under the request's idempotency key: nothing when there is none, 409 for another body; waits for one
// that is under way.
base::Task<base::Result<std::optional<Outcome>>> earlier_outcome(Core& core, const RequestInfo& info);
// The same where a refusal may be due to the very call that came first: its outcome, or else the refusal.
base::Task<base::Result<Outcome>> earlier_outcome_or(Core& core, const RequestInfo& info, base::Error refusal);
// Waits for the operation, or says 202 at once.
base::Task<base::Result<Outcome>> answer_of(Core& core, std::string op_id, const RequestInfo& info,
                                            std::string first_view, std::string location);

}  // namespace fusebox::fleet
