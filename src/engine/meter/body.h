// One function body, read: its instructions, its loops and what each region costs (docs/ticks.md).
//
// Owner    a Body is reused from function to function, so that a large module does not allocate for each.
// Threads  one at a time. Errors  as the reader's; a label or block that does not fit is `invalid`.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/wasm/instruction.h"
#include "engine/wasm/module.h"
#include "engine/wasm/reader.h"

namespace fusebox::engine::metering {

inline constexpr std::uint32_t kNoLoop = 0xffffffff;

struct Loop {
  std::uint32_t first = 0;         // index of the `loop` instruction
  std::uint32_t last = 0;          // index of its `end`
  std::uint32_t parent = kNoLoop;  // loop around it
  std::uint64_t cost = 0;          // ticks of one iteration
  bool innermost = true;
  bool calls = false;  // other code may run inside: calls, bulk operations
  bool has_params = false;
  bool repeats = false;            // some branch goes back to it
  bool exit_needs_values = false;  // a conditional branch or a table leaves it with values, or a table leaves it
};

struct Body {
  std::uint32_t locals_begin = 0;  // offset of the first group of locals, behind their number
  std::uint32_t locals_end = 0;
  std::uint32_t locals_groups = 0;
  std::uint32_t locals = 0;  // parameters included: the index of the next local
  std::uint64_t cost = 0;
  bool calls = false;
  bool grows_or_charges = false;  // has an operation that is charged by its length in place
  std::vector<wasm::Instruction> code;
  std::vector<Loop> loops;             // in the order they begin
  std::vector<std::uint32_t> loop_at;  // by instruction: index into loops, or kNoLoop
};

// Reads the body that `in` holds. On failure in.error() says why.
void read_body(wasm::Reader& in, const wasm::Module& module, const FuncType& type, Body& out);

}  // namespace fusebox::engine::metering
