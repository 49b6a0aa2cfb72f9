// Bounds of compiling and calling, with the reason for each number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::engine {

inline constexpr std::uint64_t kWasmPageBytes = 65536;
inline constexpr std::uint64_t kStackBytesMin = 16u << 10;  // below it ordinary C code overflows in its first calls
inline constexpr std::uint64_t kStackBytesMax = 8u << 20;   // contract edge.md: the largest stack a policy may ask for
inline constexpr std::size_t kHostStackBytes = 256u
                                               << 10;  // left to host functions under a guest that used all of its own
inline constexpr std::size_t kNestedCallsMax = 16;     // guests calling guests on one thread; each holds a stack
inline constexpr std::size_t kPoolTablesPerInstance = 4;  // compilers emit one; more run on demand
inline constexpr std::uint32_t kPoolInstancesMax =
    4096;  // two 4 GiB reservations each; the address space ends near 16,000
inline constexpr std::size_t kFrameNameBytesMax = 256;  // names come from the guest; a trace must stay readable
inline constexpr std::size_t kHostMessageBytesMax =
    4096;  // a host function's trap message, cut at a character boundary

}  // namespace fusebox::engine
