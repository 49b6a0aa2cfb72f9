// The option wamr_heap_compat (contract edge.md section 4): room for the heap that FUSE's engine put behind a module's own
// memory.
//
// The module is given that many pages more, at the start and at most, before it is compiled. A memory that is one page and
// may never be another was widened by less than pages there, which WebAssembly cannot say; such modules are refused.
// Input    any bytes; what is no module is left for the validator to refuse.
// Threads  pure function.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::edge {

struct WithHeap {
  base::Bytes wasm;         // the module with the larger memory; empty when it stays as it is
  std::uint32_t pages = 0;  // added
};

// `unsupported`, `exhausted`: the module cannot have such a heap.
base::Result<WithHeap> with_wamr_heap(base::ByteView wasm, std::uint32_t heap_bytes);

}  // namespace fusebox::edge
