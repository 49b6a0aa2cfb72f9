// Bounds of the capability face that no policy sets. One line of reason each.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::capability {

inline constexpr std::size_t kProgramsPerModuleMax =
    8;                                              // engines that hold code of one Module: profiles x stops x sizes
inline constexpr std::size_t kModulesKeptMax = 64;  // modules execute(bytes) finds again; the least recent goes first
inline constexpr std::size_t kVerifiedKeptMax = 4096;     // remembered signature checks; then they are made again
inline constexpr std::size_t kRegisteredMax = 4096;       // capabilities of one sandbox
inline constexpr std::size_t kAbortCharactersMax = 256;   // contract 5.3: an AssemblyScript abort message is cut here
inline constexpr std::uint64_t kOutputMax = 0x7fff'ffff;  // contract 6: a larger total does not fit a positive i32
inline constexpr std::uint32_t kEmptyInputAddress = 8;    // contract 4.2: what an entry gets as pointer to no input
// Memories above it are made on demand, outside the pool.
#if defined(FUSEBOX_TSAN)
inline constexpr std::uint64_t kPoolMemoryBytesMax = 16u << 20;  // all the thread sanitizer leaves room for
#else
inline constexpr std::uint64_t kPoolMemoryBytesMax = 256u << 20;
#endif
inline constexpr std::size_t kReasonBytesMax = 512;     // a guest chooses parts of reasons; records stay small
inline constexpr std::uint32_t kPoolInstancesMin = 16;  // below it a pool saves nothing worth a second engine
inline constexpr std::size_t kCounterShards = 16;       // statistics of threads that would share a cache line otherwise

}  // namespace fusebox::capability
