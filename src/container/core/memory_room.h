// What the kernel would give this process, asked before it is needed.
//
// Threads  any.
// Contract containers.md 9.4 (NOMEM), 16.5 (fds)
#pragma once

#include <cstdint>

namespace fusebox::container {

// A limit of this process's address space, of its number of mappings, or strict accounting of what is promised says no
// here. Memory that is promised and then not there is the kernel's affair: no question tells.
bool kernel_has_memory(std::uint64_t bytes) noexcept;

// How many descriptors it may hold.
std::uint64_t kernel_descriptors() noexcept;

}  // namespace fusebox::container
