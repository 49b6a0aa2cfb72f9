#include "platform/platform.h"

#include <time.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "fuse.h"
#include "platform/linux/quota_timer.h"

namespace fusebox::platform {
namespace {

constexpr std::uint64_t kMicrosPerSecond = 1'000'000;
constexpr long kNanosPerMicro = 1000;
constexpr long kNanosPerSecond = 1'000'000'000;

void expired(fuse_module_id_t id) {
  fuse_quota_expired(id);
}

QuotaTimer* start() {
  QuotaTimer* timer = QuotaTimer::create(&expired).release();
  if (timer != nullptr) return timer;
  // A host that goes on would believe in limits nobody keeps.
  std::fputs("fuse_platform_init: the system grants no thread for the quota timer\n", stderr);
  std::abort();
}

// The five functions have no context, so there is one timer per process. It is never taken down: steps may end on other
// threads while the program exits.
QuotaTimer& timer() {
  static QuotaTimer& only = *start();
  return only;
}

timespec after(timespec time, std::uint32_t us) {
  time.tv_sec += static_cast<time_t>(us / kMicrosPerSecond);
  time.tv_nsec += static_cast<long>(us % kMicrosPerSecond) * kNanosPerMicro;
  if (time.tv_nsec >= kNanosPerSecond) {
    time.tv_nsec -= kNanosPerSecond;
    ++time.tv_sec;
  }
  return time;
}

timespec monotonic_now() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now;
}

}  // namespace
}  // namespace fusebox::platform

using namespace fusebox::platform;

void fuse_platform_init(void) {
  timer();
}

uint64_t fuse_platform_get_timestamp_us(void) {
  const timespec now = monotonic_now();
  return static_cast<uint64_t>(now.tv_sec) * kMicrosPerSecond + static_cast<uint64_t>(now.tv_nsec / kNanosPerMicro);
}

void fuse_platform_quota_arm(fuse_module_id_t mid, uint32_t quota_us) {
  timer().arm(mid, quota_us);
}

void fuse_platform_quota_cancel(fuse_module_id_t mid) {
  timer().cancel(mid);
}

void fuse_platform_sleep_us(uint32_t us) {
  const timespec until = after(monotonic_now(), us);
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}
