// What the core needs from the system it runs on; one implementation per platform (docs/porting.md).
//
// Threads  every function may be called from any thread, pause() and now_ns() also while the lock is held.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fusebox::edge {

class Port {
 public:
  // Takes the runtime's lock, waiting for another thread if need be. False, at once, when this thread holds it already: the
  // caller is a HAL callback.
  virtual bool enter() = 0;
  virtual void leave() = 0;
  // Whether this thread holds the lock.
  virtual bool inside() const = 0;

  // Monotonic time of accounts (step durations, back-off, deadlines): never shown to a guest, read without the HAL. The
  // cheapest clock the platform has; the epoch is arbitrary.
  virtual std::uint64_t now_ns() const = 0;

  // Has every thread of the process pass a full fence before it returns; what closing a step would need is then paid by the
  // rare call that stops one (fuse_quota_expired, so: from interrupts too). False where that cannot be had, always or never:
  // every step pays. On one processor without threads that share memory a compiler's fence is enough for true.
  virtual bool fence_all() { return false; }

  // While another thread leaves a section of a few instructions.
  virtual void pause() const = 0;

  // SHA-256, for policies that name the module's hash. False where the platform has none: such a load is refused.
  virtual bool sha256(const void* bytes, std::size_t size, std::uint8_t out[32]) const = 0;

  // Runs `what`, which calls the host; false when an exception left it. Enough as it is where there are none.
  virtual bool guard(void (*what)(void* context), void* context) {
    what(context);
    return true;
  }

  // Keeps `text` as the last failure of this thread (fuse_last_error). May do nothing.
  virtual void note_error(const char* text) = 0;

 protected:
  ~Port() = default;
};

}  // namespace fusebox::edge
