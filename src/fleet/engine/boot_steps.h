// The steps of a boot: what is recorded of them, and what an earlier process had recorded.
//
// Internal to src/fleet/engine.
// Contract control-plane.md 15.3
#pragma once

#include <string_view>

#include "fleet/engine/boot.h"

namespace fusebox::fleet {

// Whether an interrupted boot had come to this step or further.
bool done_before(const Boot& boot, std::string_view step);
base::Task<base::Result<void>> record_step(Core& core, Boot& boot, std::string_view step);

}  // namespace fusebox::fleet
