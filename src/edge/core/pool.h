// The memory a host gives to its runtime, dealt out in blocks: first fit, neighbours joined when freed.
//
// Owner    the memory stays the caller's; blocks are valid until freed.
// Threads  one at a time.
// Bounds   a block costs one header more than asked for; nothing is ever taken from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::edge {

class Pool {
 public:
  static constexpr std::size_t kAlign = alignof(std::max_align_t);

  Pool() = default;
  // Any address, any size.
  Pool(void* memory, std::size_t size);

  // Null when no free block is large enough. Contents are undefined.
  void* take(std::size_t bytes);
  void give_back(void* block);  // null is ignored
  std::size_t free_bytes() const;

  template <typename T>
  T* take_array(std::size_t count) {
    static_assert(alignof(T) <= kAlign);
    return count > SIZE_MAX / sizeof(T) ? nullptr : static_cast<T*>(take(count * sizeof(T)));
  }

 private:
  struct Block;            // a header, then its bytes
  Block* free_ = nullptr;  // by address
};

}  // namespace fusebox::edge
