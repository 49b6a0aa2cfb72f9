// Rewrites one function body: checks at its entry and at its loops, bulk operations charged, small loops unrolled.
#pragma once

#include "engine/meter/body.h"
#include "engine/meter/emitter.h"
#include "engine/meter/plan.h"

namespace fusebox::engine::metering {

// Writes the code entry: size, locals, body.
void write_function(Emitter& out, const Plan& plan, base::ByteView wasm, const Body& body, bool may_unroll,
                    MeterMap& map);

}  // namespace fusebox::engine::metering
