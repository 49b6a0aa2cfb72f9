#include "edge/host/process_fence.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace fusebox::edge {
namespace {

bool membarrier(int command) noexcept {
  const int saved_errno = errno;
  const bool done = ::syscall(SYS_membarrier, command, 0, 0) == 0;
  errno = saved_errno;
  return done;
}

// The process asks for the right once.
bool ask_for_right() noexcept {
  return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

}  // namespace

bool may_fence_process() noexcept {
#if defined(__SANITIZE_THREAD__)
  return false;  // it knows fences of the language alone
#else
  static const bool may = ask_for_right();
  return may;
#endif
}

// Asked for again where the right was lost: a child of fork() may have to.
bool fence_process() noexcept {
  return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) ||
         (ask_for_right() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
}

}  // namespace fusebox::edge
