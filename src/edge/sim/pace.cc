#include "edge/sim/pace.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace fusebox::edge::sim {

base::Result<RealPace> RealPace::create() {
  const int raw = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (raw < 0) return base::fail(base::errno_error("eventfd", errno));
  return RealPace(base::Fd::adopt(raw));
}

void RealPace::sleep_us(std::uint64_t us) {
  pollfd waited{.fd = wake_.get(), .events = POLLIN, .revents = 0};
  const timespec timeout{.tv_sec = static_cast<time_t>(us / 1'000'000),
                         .tv_nsec = static_cast<long>(us % 1'000'000) * 1000};
  ::ppoll(&waited, 1, &timeout, nullptr);  // waking early is harmless: the runner looks again
}

void RealPace::stop() noexcept {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);  // full = it was said before
}

}  // namespace fusebox::edge::sim
