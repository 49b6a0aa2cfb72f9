// Whether the kernel would give memory, asked before it is needed.
//
// Threads  any.
// Contract containers.md 9.4 (NOMEM)
#pragma once

#include <cstdint>

namespace fusebox::container {

// A limit of this process's address space, of its number of mappings, or strict accounting of what is promised says no
// here. Memory that is promised and then not there is the kernel's affair: no question tells.
bool kernel_has_memory(std::uint64_t bytes) noexcept;

}  // namespace fusebox::container
