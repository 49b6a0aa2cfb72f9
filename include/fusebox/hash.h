// A SHA-256 value; it is public because modules are identified by it.
//
// Threads  a plain value.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <span>
#include <string>

namespace fusebox::base {

struct Sha256 {
  std::array<std::byte, 32> bytes{};
  std::string hex() const;  // lower case, 64 digits
  std::span<const std::byte> view() const noexcept { return bytes; }
  auto operator<=>(const Sha256&) const = default;
};

}  // namespace fusebox::base
