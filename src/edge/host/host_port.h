// The core's port (port.h) on a hosted system. One per runtime.
//
// Owner    outlives its runtime.
// Threads  as port.h says.
#pragma once

#include <cstddef>
#include <cstdint>

#include "edge/host/fast_clock.h"
#include "edge/host/owner_lock.h"
#include "edge/host/process_fence.h"
#include "edge/port.h"

namespace fusebox::edge {

// Keeps `text` as the last failure of the calling thread, for last_error_text().
void note_last_error(const char* text) noexcept;

class HostPort final : public Port {
 public:
  HostPort() noexcept : clock_(FastClock::get()) {}
  HostPort(const HostPort&) = delete;
  HostPort& operator=(const HostPort&) = delete;
  ~HostPort() = default;

  bool enter() override { return lock_.enter(); }
  void leave() override { lock_.leave(); }
  bool inside() const override { return lock_.inside(); }
  std::uint64_t now_ns() const override { return clock_.now_ns(); }
  bool fence_all() override { return may_fence_process() && fence_process(); }
  void pause() const override;
  bool sha256(const void* bytes, std::size_t size, std::uint8_t out[32]) const override;
  bool guard(void (*what)(void* context), void* context) override;
  void note_error(const char* text) override { note_last_error(text); }

 private:
  const FastClock clock_;
  OwnerLock lock_;
};

inline constexpr std::size_t kErrorTextBytesMax = 512;  // with its NUL; longer texts are cut at a character

// The last text this thread's note_error() was given, of any port; "" without one. Good until the next.
const char* last_error_text() noexcept;

}  // namespace fusebox::edge
