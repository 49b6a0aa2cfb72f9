#include "cli/interrupt.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "cli/streams.h"

namespace fusebox::cli {
namespace {
constexpr long kRepeatNs = 5'000'000;
constexpr int kEndSignal = SIGUSR2;  // wakes the waiter when the guard ends; blocked, so it never reaches anybody else
}  // namespace

InterruptGuard::InterruptGuard(std::function<void()> on_interrupt) : on_interrupt_(std::move(on_interrupt)) {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, kEndSignal}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  waiter_ = std::thread([this] { wait(); });
  pthread_setname_np(waiter_.native_handle(), "fusebox-signal");
}

InterruptGuard::~InterruptGuard() {
  pthread_kill(waiter_.native_handle(), kEndSignal);
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptGuard::wait() {
  int signal = 0;
  sigwait(&signals_, &signal);
  if (signal == kEndSignal) return;
  interrupted_ = true;
  for (;;) {
    on_interrupt_();
    const timespec pause{.tv_sec = 0, .tv_nsec = kRepeatNs};
    const int next = sigtimedwait(&signals_, nullptr, &pause);
    if (next == kEndSignal) return;
    if (next > 0) _exit(kExitInterrupted);
  }
}

}  // namespace fusebox::cli
