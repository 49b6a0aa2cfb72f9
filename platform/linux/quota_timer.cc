#include "platform/linux/quota_timer.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <system_error>
#include <utility>

namespace fusebox::platform {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNanosPerMicro = 1000;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr unsigned long kTimerSlackNs = 1;  // the least; the usual 50,000 would be added to every expiry

std::int64_t monotonic_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

// The timer whose callback runs on this thread.
constinit thread_local const QuotaTimer* reporting = nullptr;

}  // namespace

// The timer's lock; from inside the callback it is held already.
class QuotaTimer::Lock {
 public:
  explicit Lock(QuotaTimer& timer) : mutex_(reporting == &timer ? nullptr : &timer.mutex_) {
    if (mutex_ != nullptr) mutex_->lock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (mutex_ != nullptr) mutex_->unlock();
  }

 private:
  std::mutex* const mutex_;
};

QuotaTimer::QuotaTimer(Expired expired) : expired_(expired) {
  at_.fill(kNotArmed);
}

std::unique_ptr<QuotaTimer> QuotaTimer::create(Expired expired) {
  std::unique_ptr<QuotaTimer> timer(new QuotaTimer(expired));
  // The host's signals are none of this thread's business.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    timer->thread_ = std::thread([raw = timer.get()] { raw->run(); });
  } catch (const std::system_error&) {
    timer.reset();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return timer;
}

QuotaTimer::~QuotaTimer() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void QuotaTimer::arm(fuse_module_id_t id, std::uint32_t quota_us) {
  if (id >= kModuleIdsMax) return;
  if (quota_us == 0) return cancel(id);
  const std::int64_t deadline_ns = monotonic_ns() + std::int64_t{quota_us} * kNanosPerMicro;
  bool is_first = false;
  {
    const Lock lock(*this);
    if (at_[id] == kNotArmed) at_[id] = count_++;
    armed_[at_[id]] = {id, deadline_ns};
    is_first = deadline_ns < sleeps_until_ns_;
    if (is_first) sleeps_until_ns_ = deadline_ns;
  }
  if (is_first) changed_.notify_one();
}

void QuotaTimer::cancel(fuse_module_id_t id) {
  if (id >= kModuleIdsMax) return;
  const Lock lock(*this);
  if (at_[id] != kNotArmed) remove(id);
}

void QuotaTimer::remove(fuse_module_id_t id) {
  const std::uint32_t at = std::exchange(at_[id], kNotArmed);
  if (at == --count_) return;
  armed_[at] = armed_[count_];
  at_[armed_[at].id] = at;
}

std::int64_t QuotaTimer::expire_due(std::int64_t now_ns) {
  // The callback may arm and cancel, so after each one everything is looked at again.
  for (;;) {
    const auto end = armed_.begin() + count_;
    const auto first = std::min_element(armed_.begin(), end,
                                        [](const Armed& a, const Armed& b) { return a.deadline_ns < b.deadline_ns; });
    if (first == end) return kNever;
    if (first->deadline_ns > now_ns) return first->deadline_ns;
    const fuse_module_id_t id = first->id;
    remove(id);
    expired_(id);
  }
}

void QuotaTimer::run() {
  ::pthread_setname_np(::pthread_self(), "fuse-quota");
  ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
  std::unique_lock lock(mutex_);
  while (!over_) {
    reporting = this;
    sleeps_until_ns_ = kNever;  // whoever arms from here on is seen below, or wakes this thread
    sleeps_until_ns_ = expire_due(monotonic_ns());
    reporting = nullptr;
    const std::int64_t until_ns = sleeps_until_ns_;
    if (until_ns == kNever)
      changed_.wait(lock);
    else
      changed_.wait_until(lock, Clock::time_point(std::chrono::nanoseconds(until_ns)));
  }
}

}  // namespace fusebox::platform
