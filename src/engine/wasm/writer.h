// Appends the binary format of WebAssembly to a growing buffer.
//
// Owner    owns its bytes until take().
// Threads  one at a time.
// Units    offsets are bytes from the start of the module.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace fusebox::engine::wasm {

class Writer {
 public:
  std::uint64_t offset() const noexcept { return out_.size(); }
  void reserve(std::uint64_t size_bytes) { out_.reserve(static_cast<std::size_t>(size_bytes)); }
  base::Bytes take() noexcept { return std::move(out_); }

  void u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
  void u32(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
  }
  void s64(std::int64_t value) {
    while (value < -64 || value > 63) {
      u8(static_cast<std::uint8_t>(value) | 0x80);
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value) & 0x7f);
  }
  void bytes(base::ByteView view) { out_.insert(out_.end(), view.begin(), view.end()); }
  void name(std::string_view text) {
    u32(text.size());
    bytes(base::as_bytes(text));
  }

  // A size whose value is known later: five bytes, the longest form, so that nothing behind it moves when it is filled
  // in.
  std::uint64_t open_size() {
    for (int i = 0; i < 5; ++i) u8(0);
    return offset();
  }
  void close_size(std::uint64_t opened) {
    std::uint64_t size = offset() - opened;
    for (std::uint64_t i = 0; i < 5; ++i, size >>= 7) {
      out_[static_cast<std::size_t>(opened - 5 + i)] = static_cast<std::byte>((size & 0x7f) | (i < 4 ? 0x80 : 0));
    }
  }
  // Overwrites a number of `size_bytes` bytes; `value` fits, and is written in as many bytes.
  void patch_u32(std::uint64_t offset, std::uint32_t size_bytes, std::uint32_t value) noexcept {
    for (std::uint32_t i = 0; i < size_bytes; ++i, value >>= 7) {
      out_[static_cast<std::size_t>(offset + i)] =
          static_cast<std::byte>((value & 0x7f) | (i + 1 < size_bytes ? 0x80u : 0u));
    }
  }
  // Forgets everything from `offset` on.
  void truncate(std::uint64_t offset) { out_.resize(static_cast<std::size_t>(offset)); }

 private:
  base::Bytes out_;
};

}  // namespace fusebox::engine::wasm
