// Work that somebody else began and cannot end: read from its operation's last recorded step, then finished or undone once.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 15.3
#pragma once

#include <cstdint>

#include "fleet/engine/core.h"

namespace fusebox::fleet {

// Whose operations are taken over.
enum class TakeOver : std::uint8_t {
  expired,   // whose lease has ended
  own,       // of an earlier process of this replica's name, also before that
  all,       // no other process can have this store (SQLite at start)
  stranded,  // ours, and twice in a row nobody here worked on them: their worker could not record how they ended
};
// Takes them over and spawns their continuation.
base::Task<base::Result<void>> take_over(Core& core, TakeOver whose);

// Keeps the leases of this replica's operations and its own row until the engine closes, and takes up operations that were
// left behind.
base::Task<void> keep_leases(Core& core);
// What is left undone may be taken over at once.
base::Task<void> release_leases(Core& core);

}  // namespace fusebox::fleet
