#include "edge/core/pool.h"

#include <new>

namespace fusebox::edge {

struct alignas(Pool::kAlign) Pool::Block {
  std::size_t size;  // bytes after this header
  Block* next;       // while free

  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  std::uint8_t* end() { return bytes() + size; }
};

Pool::Pool(void* memory, std::size_t size) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t skip = (kAlign - address % kAlign) % kAlign;
  if (size < skip + sizeof(Block) + kAlign) return;
  const std::size_t room = (size - skip - sizeof(Block)) / kAlign * kAlign;
  free_ = new (static_cast<std::uint8_t*>(memory) + skip) Block{room, nullptr};
}

void* Pool::take(std::size_t bytes) {
  if (bytes > SIZE_MAX - kAlign) return nullptr;
  const std::size_t size = (bytes + kAlign - 1) / kAlign * kAlign;
  for (Block** at = &free_; *at != nullptr; at = &(*at)->next) {
    Block* block = *at;
    if (block->size < size) continue;
    if (block->size - size > sizeof(Block)) {
      *at = new (block->bytes() + size) Block{block->size - size - sizeof(Block), block->next};
      block->size = size;
    } else {
      *at = block->next;
    }
    return block->bytes();
  }
  return nullptr;
}

void Pool::give_back(void* memory) {
  if (memory == nullptr) return;
  Block* block = static_cast<Block*>(memory) - 1;
  Block* before = nullptr;
  Block* after = free_;
  while (after != nullptr && after < block) {
    before = after;
    after = after->next;
  }
  block->next = after;
  if (after != nullptr && block->end() == reinterpret_cast<std::uint8_t*>(after)) {
    block->size += sizeof(Block) + after->size;
    block->next = after->next;
  }
  if (before == nullptr) {
    free_ = block;
  } else if (before->end() == reinterpret_cast<std::uint8_t*>(block)) {
    before->size += sizeof(Block) + block->size;
    before->next = block->next;
  } else {
    before->next = block;
  }
}

std::size_t Pool::free_bytes() const {
  std::size_t total = 0;
  for (const Block* block = free_; block != nullptr; block = block->next) total += block->size;
  return total;
}

}  // namespace fusebox::edge
