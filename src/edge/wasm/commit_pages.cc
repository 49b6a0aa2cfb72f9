#include "edge/wasm/commit_pages.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; headers may be older
#endif

namespace fusebox::edge {
namespace {

constexpr std::size_t kPageBytesLeast = 4096;  // larger pages are then touched more than once

}  // namespace

void commit_pages(std::span<std::byte> memory) noexcept {
  if (memory.empty()) return;
  if (::madvise(memory.data(), memory.size(), MADV_POPULATE_WRITE) == 0) return;
  for (std::size_t at = 0; at < memory.size(); at += kPageBytesLeast) {
    volatile std::byte* byte = &memory[at];
    *byte = *byte;
  }
}

}  // namespace fusebox::edge
