// Memory that is filled once, grows without copying, and is read-only ever after.
//
// Owner    the object until seal(), then the LayerBytes it gives.
// Threads  one thread at a time; sealed bytes: any.
// Errors   `exhausted` where the kernel has no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"
#include "image/tree.h"

namespace fusebox::image {

class PrivateMemory {
 public:
  PrivateMemory() noexcept = default;
  PrivateMemory(PrivateMemory&& from) noexcept;
  PrivateMemory& operator=(PrivateMemory&& from) noexcept;
  ~PrivateMemory();

  // At least `bytes` writable bytes after those already there. Untouched ones cost no memory.
  base::Result<std::span<std::byte>> room(std::size_t bytes);
  void add(std::size_t bytes) noexcept { size_ += bytes; }  // that were written at the start of room()
  std::size_t size() const noexcept { return size_; }
  base::Result<LayerBytes> seal() &&;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// A mapping of memory, undone when its owner goes.
class Mapping {
 public:
  Mapping(void* at, std::size_t bytes) noexcept : at_(at), bytes_(bytes) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

 private:
  void* at_;
  std::size_t bytes_;
};

}  // namespace fusebox::image
