// A guest's linear memory during one call: every access is checked, offset 0 is as good as any.
//
// Threads  one at a time; good until the guest runs again (a wait included).
// Contract containers.md 15.1
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace fusebox::wasi {

static_assert(std::endian::native == std::endian::little, "guests' numbers are copied as they are");

class Memory {
 public:
  explicit Memory(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}

  std::size_t size() const noexcept { return bytes_.size(); }
  // Zero bytes at the very end are inside.
  bool has(std::uint32_t at, std::uint64_t size) const noexcept { return base::in_bounds(at, size, bytes_.size()); }

  // The rest only where has() was true.
  template <class T>
  T load(std::uint32_t at) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  template <class T>
  void store(std::uint32_t at, T value) const noexcept {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  std::span<std::byte> bytes(std::uint32_t at, std::uint32_t size) const noexcept { return bytes_.subspan(at, size); }
  std::string_view text(std::uint32_t at, std::uint32_t size) const noexcept {
    return base::as_text(bytes_.subspan(at, size));
  }
  void put(std::uint32_t at, std::string_view text) const noexcept {
    if (!text.empty()) std::memcpy(bytes_.data() + at, text.data(), text.size());
  }
  void zero(std::uint32_t at, std::uint32_t size) const noexcept { std::memset(bytes_.data() + at, 0, size); }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace fusebox::wasi
