// Large bulk memory operations in pieces, so that a stop is seen between them. Semantics stay those of the one
// operation: what is out of bounds traps before anything is written, overlapping copies come out right.
#pragma once

#include <vector>

#include "engine/meter/emitter.h"
#include "engine/meter/plan.h"

namespace fusebox::engine::metering {

// Which helpers a module may need. The function section stands before the code that calls them, so this looks for the
// opcodes' bytes in `code` without decoding: it may name a helper that nothing calls, never miss one that something
// does.
std::vector<Helper> plan_helpers(base::ByteView code, const wasm::Module& module);

// The helper's code entry: size, locals, body.
void write_helper(Emitter& out, const Plan& plan, const wasm::Module& module, const Helper& helper);

}  // namespace fusebox::engine::metering
