// A full fence in every running thread of the process, asked of the kernel by the one that needs it (membarrier). What is
// done a million times a second then needs none of its own.
//
// Threads  any; signal handlers too. errno stays as it is.
#pragma once

namespace fusebox::edge {

// Whether fence_process() works here. The first call asks the kernel; the answer is the same ever after.
bool may_fence_process() noexcept;
// Some microseconds. False when it was refused.
bool fence_process() noexcept;

}  // namespace fusebox::edge
