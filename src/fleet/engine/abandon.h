// A boot that failed: its operation ends, what was made of it goes.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 5.2, 15.3
#pragma once

#include "fleet/engine/boot.h"

namespace fusebox::fleet {

// The operation ends, the environment goes; the answer waits until it is gone, at most for a while.
base::Task<base::Result<Outcome>> abandon(Core& core, Boot& boot, base::Error error);
// The same where nothing of it is recorded yet (docs/adr/0011): its end is told as any other's.
base::Task<base::Result<Outcome>> abandon_unrecorded(Core& core, Boot& boot, base::Error error);
// The refusal for whoever waits for what somebody else has removed.
std::unexpected<base::Error> destroyed_meanwhile(const Boot& boot);

}  // namespace fusebox::fleet
