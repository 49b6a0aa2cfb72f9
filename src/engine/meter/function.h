// Rewrites one function body: checks at its entry and at its loops, bulk operations charged, small loops unrolled.
#pragma once

#include "engine/meter/body.h"
#include "engine/meter/emitter.h"
#include "engine/meter/plan.h"

namespace fusebox::engine::metering {

// Writes the code entry: size, locals, body. Copies of loops take their bytes off `growth_left`; where that is short, a
// loop is not unrolled.
void write_function(Emitter& out, const Plan& plan, base::ByteView wasm, const Body& body, std::uint64_t& growth_left,
                    MeterMap& map);

}  // namespace fusebox::engine::metering
