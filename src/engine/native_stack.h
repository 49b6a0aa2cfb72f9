// How much of the running native stack is left, and a second stack for calls that need more.
//
// Wasmtime bounds a guest's stack by the engine's setting alone and trusts that the thread has that much. A thread
// with less (or a host function deep inside another call) would be overflown by a recursing guest; such a call runs on
// a stack of its own. Calls of one thread nest, so switching stacks around a call and back is enough.
// Threads  everything here concerns the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace fusebox::engine {

// Whether `bytes` more may be used from here. False as well on a stack this file does not know (a fiber's).
bool has_native_stack(std::size_t bytes) noexcept;

// Runs `body(env)` on a fresh stack of at least `bytes`. `unavailable` when there is no memory for it; then nothing
// ran.
base::Result<void> run_on_own_stack(std::size_t bytes, void (*body)(void* env) noexcept, void* env);

}  // namespace fusebox::engine
