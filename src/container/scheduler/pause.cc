#include "container/scheduler/pause.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>

namespace fusebox::container {
namespace {

// initial-exec: no allocation on first use, which a handler could not afford.
__attribute__((tls_model("initial-exec"))) constinit thread_local Pause* this_thread = nullptr;

std::uintptr_t interrupted_at(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<std::uintptr_t>(machine.pc);
#else
#error "where does a signal say what it interrupted here?"
#endif
}

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));  // the kernel reads the word itself

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) noexcept {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG, value, nullptr,
                   nullptr, 0);
}

}  // namespace

int Pause::install() noexcept {
  for (int number = SIGRTMIN + 1; number <= SIGRTMAX; ++number) {
    struct sigaction old{};
    if (::sigaction(number, nullptr, &old) != 0 || old.sa_handler != SIG_DFL) continue;
    struct sigaction action{};
    action.sa_sigaction = [](int n, siginfo_t* info, void* context) { on_signal(n, info, context); };
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ::sigemptyset(&action.sa_mask);  // the engine's stop signal must get through
    if (::sigaction(number, &action, nullptr) == 0) return number;
  }
  return 0;
}

// A signal handler belongs to the process, so its number is shared by all schedulers. 0 = none was free.
int Pause::signal_number() noexcept {
  static const int number = install();
  return number;
}

void Pause::attach() noexcept {
  thread_ = static_cast<pid_t>(::syscall(SYS_gettid));
  this_thread = this;
  const int number = signal_number();
  if (number == 0) return;
  sigset_t ours;
  ::sigemptyset(&ours);
  ::sigaddset(&ours, number);
  ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
}

void Pause::detach() noexcept {
  this_thread = nullptr;
}

void Pause::request() noexcept {
  std::uint32_t expected = kRunning;
  word_.compare_exchange_strong(expected, kRequested);
  if (expected != kPaused && signal_number() != 0) ::syscall(SYS_tgkill, ::getpid(), thread_, signal_number());
}

void Pause::resume() noexcept {
  if (word_.exchange(kRunning) == kPaused) futex(word_, FUTEX_WAKE, 1);
}

void Pause::on_signal(int, void*, void* context) noexcept {
  const int saved_errno = errno;
  if (this_thread != nullptr) this_thread->wait_here(interrupted_at(context));
  errno = saved_errno;
}

void Pause::wait_here(std::uintptr_t at) noexcept {
  if (at < begin_.load(std::memory_order_relaxed) || at >= end_.load(std::memory_order_relaxed)) return;
  std::uint32_t expected = kRequested;
  if (!word_.compare_exchange_strong(expected, kPaused)) return;
  while (word_.load() == kPaused) {
    if (futex(word_, FUTEX_WAIT, kPaused) == 0 || errno == EAGAIN) continue;
    // Another signal had something to say to this guest: let it hear.
    expected = kPaused;
    word_.compare_exchange_strong(expected, kRunning);
  }
}

}  // namespace fusebox::container
