// Where a decompressor writes: never more than its bound.
//
// Owner    the object until seal(), then the LayerBytes it gives.
// Threads  one thread at a time.
// Errors   `exhausted` "BAD_IMAGE" for the bound.
#pragma once

#include "image/archive.h"
#include "image/layers/private_memory.h"

namespace fusebox::image {

class BoundedOutput {
 public:
  explicit BoundedOutput(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  std::uint64_t left() const noexcept { return bytes_max_ - memory_.size(); }
  // A piece to write to. At the bound it is one byte that no honest stream needs: add() refuses it.
  base::Result<std::span<std::byte>> piece() {
    const std::size_t bytes = std::min<std::uint64_t>(kPieceBytes, left() + 1);
    FB_TRY(const std::span<std::byte> room, memory_.room(bytes));
    return room.first(bytes);
  }
  base::Result<std::span<std::byte>> exactly(std::uint64_t bytes) {
    if (bytes > left()) return over();
    FB_TRY(const std::span<std::byte> room, memory_.room(bytes));
    return room.first(bytes);
  }
  base::Result<void> add(std::size_t bytes) {
    if (bytes > left()) return over();
    memory_.add(bytes);
    return {};
  }
  base::Result<LayerBytes> seal() && { return std::move(memory_).seal(); }

 private:
  static constexpr std::size_t kPieceBytes = 256 * 1024;
  std::unexpected<base::Error> over() const {
    return too_large("more than " + std::to_string(bytes_max_) + " bytes when decompressed");
  }
  std::uint64_t bytes_max_;
  PrivateMemory memory_;
};

}  // namespace fusebox::image
