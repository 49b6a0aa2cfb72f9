// From a recorded intent to a running environment, or to none: the boot sequence, begun by create, fork and recovery.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 9.4, 15.3
#pragma once

#include <optional>
#include <string>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/core.h"

namespace fusebox::fleet {

struct Boot {
  EnvironmentRow row;
  OperationRow op;  // kind create or fork; its step says where to go on
  BootMaterial material;
  schedule::Demand demand;          // to place it again when its host does not take it
  std::optional<SnapshotRow> seed;  // to be on the host before it is created
  std::string fork_of;              // host name of the source: made by the provider's fork, not by create
  bool interrupted = false;         // by a crash: what a step did is not known
  Store::WriteWork also;            // joins the transaction that records the intent
  // False: nothing is recorded before it runs. Only for what the provider of this process makes at once (docs/adr/0011).
  bool recorded = true;
  base::Nanos began{0};  // monotonic
};

// Works through the steps and ends the operation; whoever waits for op_id in `outcomes` is told.
base::Task<void> run_boot(Core& core, Boot boot);

}  // namespace fusebox::fleet
