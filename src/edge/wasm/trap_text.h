// How a guest call ended, in the static words of contract edge.md 2.4.
//
// Threads  pure function.
#pragma once

#include "base/bytes.h"
#include "engine/outcome.h"

namespace fusebox::edge {

// Null when the guest was stopped instead. `sink_trap` is what the import sink said, for calls it ended; `wasm` are the
// module's bytes, for what the engine does not tell apart.
const char* trap_text(const engine::Outcome& outcome, const char* sink_trap, base::ByteView wasm) noexcept;

}  // namespace fusebox::edge
