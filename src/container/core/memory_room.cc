#include "container/core/memory_room.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <limits>

namespace fusebox::container {

bool kernel_has_memory(std::uint64_t bytes) noexcept {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return false;
  ::munmap(at, bytes);
  return true;
}

std::uint64_t kernel_descriptors() noexcept {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace fusebox::container
