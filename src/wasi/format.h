// C's printf for a guest's format and arguments, which lie in its memory as clang passes them (wasm32: int, long and
// pointers are 4 bytes, long long and double 8, each at a multiple of its size).
//
// Conversions d i u o x X c s p f F e E g G a A and %%, with flags, width, precision and length. %n writes nothing. What is not
// known ends the formatting; the rest goes out as it stands.
// Threads  pure. Bounds  kPrintBytesMax for all, kPrintWidthMax for one width or precision.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wasi/memory.h"

namespace fusebox::wasi {

// Nothing when the format, an argument or a text reaches outside the memory.
std::optional<std::string> format_text(const Memory& memory, std::uint32_t format, std::uint32_t arguments);

// The text up to its NUL; nothing when there is none inside the memory.
std::optional<std::string_view> text_at(const Memory& memory, std::uint32_t at) noexcept;

}  // namespace fusebox::wasi
