#include "engine/stop_thread.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace fusebox::engine {
namespace {

void compiler_fence() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

timespec to_timespec(std::int64_t ns) noexcept {
  return {ns / kNanosPerSecond, ns % kNanosPerSecond};
}

// The first real-time signal with the default action: whoever uses another one keeps it.
int install(void (*handler)(int, siginfo_t*, void*)) noexcept {
  for (int number = SIGRTMIN + 1; number <= SIGRTMAX; ++number) {
    struct sigaction old{};
    if (::sigaction(number, nullptr, &old) != 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ::sigfillset(&action.sa_mask);
    // A fault inside the handler must end the process there and then, not be put off.
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) ::sigdelset(&action.sa_mask, fault);
    if (::sigaction(number, &action, nullptr) == 0) return number;
  }
  return 0;
}

// A signal handler belongs to the process, so its number is the one value here that all engines share. 0 = none was
// free.
int stop_signal(void (*handler)(int, siginfo_t*, void*)) noexcept {
  static const int number = install(handler);
  return number;
}

}  // namespace

base::Result<StopThread*> StopThread::create() {
  if (this_thread_ != nullptr) return this_thread_;
  const int number = stop_signal(&StopThread::on_signal);
  if (number == 0) {
    return base::fail(base::Errc::unavailable, "cannot stop guests on this thread: every real-time signal is in use");
  }
  std::unique_ptr<StopThread> made(new StopThread);
  made->id_ = static_cast<pid_t>(::syscall(SYS_gettid));
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = number;
  event._sigev_un._tid = made->id_;
  if (::timer_create(CLOCK_MONOTONIC, &event, &made->timer_) != 0) {
    return base::fail(base::Errc::unavailable,
                      "cannot stop guests on this thread: timer_create: " + std::string(std::strerror(errno)) +
                          "; see ulimit -i (pending signals)");
  }
  made->has_timer_ = true;
  sigset_t ours;
  ::sigemptyset(&ours);
  ::sigaddset(&ours, number);
  ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);  // worker threads often block everything
  static thread_local std::unique_ptr<StopThread> owner;
  owner = std::move(made);
  this_thread_ = owner.get();
  return this_thread_;
}

StopThread::~StopThread() {
  // A signal of this timer may be pending still; blocked, it dies with the thread.
  sigset_t all;
  ::sigfillset(&all);
  if (has_timer_) {
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::timer_delete(timer_);
  }
  this_thread_ = nullptr;
}

void StopThread::wake(pid_t thread) noexcept {
  const int number = stop_signal(&StopThread::on_signal);
  if (number != 0 && thread != 0) ::syscall(SYS_tgkill, ::getpid(), thread, number);
}

void StopThread::inherit(CallSlot& slot) noexcept {
  slot.depth = slot.outer->depth + 1;
  if (slot.outer->wall_deadline_ns < slot.wall_deadline_ns) slot.wall_deadline_ns = slot.outer->wall_deadline_ns;
}

void StopThread::set_timer() noexcept {
  // The handler may run between our store and our system call, arm for something else, and be overwritten: then set it
  // again.
  std::int64_t wanted = 0;
  do {
    wanted = armed_for_ns_;
    itimerspec when{};
    if (wanted != kNever)
      when.it_value = to_timespec(std::max<std::int64_t>(wanted - kTimerEarlyNs, 1));  // zero disarms
    ::timer_settime(timer_, TIMER_ABSTIME, &when, nullptr);
  } while (wanted != armed_for_ns_);
}

std::int64_t StopThread::cpu_at(std::int64_t start_ns) noexcept {
  if (start_ns - calibrated_ns_ > kCalibrationAgeMaxNs) {
    calibrated_cpu_ns_ = thread_cpu_ns();
    compiler_fence();
    calibrated_ns_ = start_ns;
    return calibrated_cpu_ns_;
  }
  return calibrated_cpu_ns_ + (start_ns - calibrated_ns_);
}

StopThread::Start StopThread::calibrate(std::int64_t read_ns) noexcept {
  const std::int64_t start_ns = monotonic_ns();
  if (read_ns == 0) return {start_ns, cpu_at(start_ns)};
  pair_read_ns_ = read_ns;
  pair_ = {start_ns, thread_cpu_ns()};
  return pair_;
}

void StopThread::look() noexcept {
  const std::int64_t now_ns = monotonic_ns();
  if (armed_for_ns_ - kTimerEarlyNs <= now_ns) armed_for_ns_ = kNever;  // it has fired
  const std::int64_t next_ns = look_at_chain(innermost_, now_ns, CLOCK_THREAD_CPUTIME_ID, LookAt::timed);
  if (next_ns < armed_for_ns_) {
    armed_for_ns_ = next_ns;
    set_timer();
  }
}

void StopThread::on_signal(int, siginfo_t*, void*) noexcept {
  const int saved_errno = errno;
  if (this_thread_ != nullptr) this_thread_->look();
  errno = saved_errno;
}

}  // namespace fusebox::engine
