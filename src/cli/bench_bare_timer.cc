#include "cli/bench_bare_timer.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace fusebox::cli::bench {
namespace {

constexpr std::chrono::seconds kGiveUpAfter{10};  // longer than any busy machine keeps a thread waiting

static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void set_flag(int, siginfo_t* info, void*) {
  static_cast<std::atomic<bool>*>(info->si_value.sival_ptr)->store(true, std::memory_order_relaxed);
}

// From the top: the engine takes its own from the bottom.
base::Result<int> free_signal() {
  for (int number = SIGRTMAX; number > SIGRTMIN; --number) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) return number;
  }
  return base::fail(base::Errc::unavailable, "no real-time signal is free for the bare timer");
}

}  // namespace

base::Result<std::unique_ptr<BareTimer>> BareTimer::create() {
  FB_TRY(const int number, free_signal());
  std::unique_ptr<BareTimer> timer(new BareTimer(number));
  FB_CHECK(timer->start());
  return timer;
}

base::Result<void> BareTimer::start() {
  struct sigaction action{};
  action.sa_sigaction = set_flag;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (::sigaction(signal_, &action, nullptr) != 0) return base::fail(base::errno_error("sigaction", errno));
  handled_ = true;

  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal_;
  event.sigev_value.sival_ptr = &fired_;
  event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
    return base::fail(base::errno_error("timer_create", errno));
  }
  armed_ = true;
  return {};
}

BareTimer::~BareTimer() {
  if (armed_) ::timer_delete(timer_);
  if (handled_) ::signal(signal_, SIG_DFL);
}

base::Result<base::Nanos> BareTimer::lateness(const base::Clock& clock, std::chrono::nanoseconds delay) {
  fired_.store(false, std::memory_order_relaxed);
  const base::Nanos deadline = clock.monotonic() + delay;
  itimerspec when{};
  when.it_value.tv_sec = deadline.count() / 1'000'000'000;
  when.it_value.tv_nsec = deadline.count() % 1'000'000'000;
  if (::timer_settime(timer_, TIMER_ABSTIME, &when, nullptr) != 0) {
    return base::fail(base::errno_error("timer_settime", errno));
  }
  // Reading the clock bounds the wait; it is also where the thread sanitizer lets a signal through.
  while (!fired_.load(std::memory_order_relaxed)) {
    if (clock.monotonic() - deadline > kGiveUpAfter)
      return base::fail(base::Errc::unavailable, "the bare timer's signal did not come");
  }
  return clock.monotonic() - deadline;
}

}  // namespace fusebox::cli::bench
