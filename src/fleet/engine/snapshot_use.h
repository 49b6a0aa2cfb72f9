// When a snapshot was last used: what collects the unused goes by it.
//
// Nobody waits for it, and each snapshot's is written at most every kUseStep: what is protected after a use is protected
// for much longer than that.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 10.5
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "fleet/store/records.h"

namespace fusebox::fleet {

struct Core;

inline constexpr base::Nanos kUseStep{std::chrono::seconds{30}};       // contract 10.5: batched, 30 s
inline constexpr base::Nanos kRecentlyUsed{std::chrono::minutes{10}};  // contract 10.5: protected after a use
static_assert(kUseStep * 10 < kRecentlyUsed);

using SnapshotUses = std::map<std::string, base::Nanos, std::less<>>;  // by id: wall time of the last write

// `snapshot` as it was read; a fork, a create from it, a move or a pull begins now.
void note_use(Core& core, const SnapshotRow& snapshot);

}  // namespace fusebox::fleet
