// The buffers a guest names in one read or write: an array of (pointer, length) in its memory.
//
// Owner    borrows the guest's memory: for one call.
// Contract containers.md 15.1
#pragma once

#include <array>
#include <span>
#include <vector>

#include "vfs/errno.h"
#include "wasi/limits.h"
#include "wasi/memory.h"

namespace fusebox::wasi {

template <class Byte>
class Vectors {
 public:
  // `fault` when the array or a buffer lies outside; `inval` for too many, or more bytes than a size can tell.
  vfs::Errno read(const Memory& memory, std::uint32_t at, std::uint32_t count) {
    if (count > kVectorsMax) return vfs::Errno::inval;
    if (!memory.has(at, std::uint64_t{count} * kEntryBytes)) return vfs::Errno::fault;
    count_ = count;
    if (count > kVectorsInPlace) more_.resize(count);
    std::span<Byte>* const out = begin();
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto data = memory.load<std::uint32_t>(at + i * kEntryBytes);
      const auto size = memory.load<std::uint32_t>(at + i * kEntryBytes + 4);
      if (!memory.has(data, size)) return vfs::Errno::fault;
      out[i] = memory.bytes(data, size);
      bytes_ += size;
    }
    return bytes_ > UINT32_MAX ? vfs::Errno::inval : vfs::Errno::success;
  }
  std::span<const std::span<Byte>> list() noexcept { return {begin(), count_}; }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::uint32_t kEntryBytes = 8;
  std::span<Byte>* begin() noexcept { return count_ > kVectorsInPlace ? more_.data() : here_.data(); }

  std::array<std::span<Byte>, kVectorsInPlace> here_;
  std::vector<std::span<Byte>> more_;
  std::uint32_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace fusebox::wasi
