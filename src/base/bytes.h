// Bytes and their texts: views, hexadecimal, base64, UTF-8.
//
// Threads  pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fusebox::base {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whether [at, at + size) lies inside [0, limit). Never computes at + size, which could wrap.
constexpr bool in_bounds(std::uint64_t at, std::uint64_t size, std::uint64_t limit) noexcept {
  return at <= limit && size <= limit - at;
}

std::string to_hex(ByteView bytes);                // lower case
Result<Bytes> from_hex(std::string_view hex);      // either case; even length
std::string to_base64(ByteView bytes);             // RFC 4648 section 4, padded
Result<Bytes> from_base64(std::string_view text);  // strict: padded, no white space, canonical

// No surrogates, no overlong forms, nothing above U+10FFFF (contract capability.md section 7).
bool is_utf8(std::string_view text) noexcept;
// How many bytes from the start are valid; text.size() when all are.
std::size_t utf8_valid_prefix(std::string_view text) noexcept;
// The text with each invalid byte replaced by U+FFFD: for paths and foreign messages on their way into JSON.
std::string to_utf8(std::string_view text);
// The longest prefix of at most `bytes_max` bytes that does not cut a character; `text` must be valid UTF-8.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept;

// Compares in time that depends on the lengths alone. For MACs, tokens and keys.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

}  // namespace fusebox::base
