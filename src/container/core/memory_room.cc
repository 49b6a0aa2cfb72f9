#include "container/core/memory_room.h"

#include <sys/mman.h>

namespace fusebox::container {

bool kernel_has_memory(std::uint64_t bytes) noexcept {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return false;
  ::munmap(at, bytes);
  return true;
}

}  // namespace fusebox::container
