// Bounds of this folder, each with its reason.
#pragma once

#include <cstdint>

namespace fusebox::engine {

// The pass and the reader keep offsets in 32 bits; the largest policy today allows 16 MiB.
inline constexpr std::uint64_t kModuleBytesMax = std::uint64_t{256} << 20;

// Of the module format as engines implement it (the JavaScript embedding's limits, which Wasmtime's validator shares).
inline constexpr std::uint32_t kTypesMax = 1'000'000;
inline constexpr std::uint32_t kFunctionsMax = 1'000'000;
inline constexpr std::uint32_t kImportsMax = 1'000'000;
inline constexpr std::uint32_t kExportsMax = 1'000'000;
inline constexpr std::uint32_t kGlobalsMax = 1'000'000;
inline constexpr std::uint32_t kSegmentsMax = 1'000'000;
inline constexpr std::uint32_t kTablesMax = 100;
inline constexpr std::uint32_t kMemoriesMax = 100;
inline constexpr std::uint32_t kParamsMax = 1'000;
inline constexpr std::uint32_t kResultsMax = 1'000;
inline constexpr std::uint32_t kLocalsMax = 50'000;
inline constexpr std::uint32_t kNameBytesMax = 100'000;
inline constexpr std::uint32_t kFunctionBytesMax = 7'654'321;
inline constexpr std::uint32_t kSectionsMax = 10'000;  // custom sections may repeat; a linker writes about ten

// The validator's own bound for a module; the pass's output stays below it.
inline constexpr std::uint64_t kMeteredBytesMax = std::uint64_t{1} << 30;

// A count read from a module reserves no more than this many elements before its bytes have been seen.
inline constexpr std::uint32_t kReserveMax = 1'024;

}  // namespace fusebox::engine
