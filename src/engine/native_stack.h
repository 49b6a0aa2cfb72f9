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

// Of the calling thread, as far as it is known yet. initial-exec: every call of a guest looks here.
struct StackRange {
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};
__attribute__((tls_model("initial-exec"))) extern constinit thread_local StackRange this_stack;
bool has_native_stack_once_known(std::size_t bytes) noexcept;

// Whether `bytes` more may be used from here. False as well on a stack this file does not know (a fiber's).
inline bool has_native_stack(std::size_t bytes) noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const StackRange stack = this_stack;
  if (here >= stack.low && here < stack.high) [[likely]]
    return here - stack.low > bytes;
  return has_native_stack_once_known(bytes);
}

// Runs `body(env)` on a fresh stack of at least `bytes`. `unavailable` when there is no memory for it; then nothing
// ran.
base::Result<void> run_on_own_stack(std::size_t bytes, void (*body)(void* env) noexcept, void* env);

}  // namespace fusebox::engine
