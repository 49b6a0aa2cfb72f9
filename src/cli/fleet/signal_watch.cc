#include "cli/fleet/signal_watch.h"

#include <pthread.h>

#include <utility>

namespace fusebox::cli::fleet {
namespace {
constexpr int kEndSignal = SIGUSR2;  // wakes the waiter when the watch ends
}  // namespace

BlockedSignals::BlockedSignals(const std::vector<int>& signals) {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : signals) sigaddset(&blocked, signal);
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

BlockedSignals::~BlockedSignals() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

SignalWatch::SignalWatch(const std::vector<int>& signals, base::Executor& loop, std::function<void(int)> on_signal)
    : loop_(loop), on_signal_(std::make_shared<const std::function<void(int)>>(std::move(on_signal))) {
  sigemptyset(&signals_);
  sigaddset(&signals_, kEndSignal);
  for (const int signal : signals) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  waiter_ = std::thread([this] { wait(); });
  pthread_setname_np(waiter_.native_handle(), "fusebox-signal");
}

SignalWatch::~SignalWatch() {
  pthread_kill(waiter_.native_handle(), kEndSignal);
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalWatch::wait() {
  for (;;) {
    int signal = 0;
    sigwait(&signals_, &signal);
    if (signal == kEndSignal) return;
    loop_.post([watching = std::weak_ptr(on_signal_), signal] {
      if (const auto on_signal = watching.lock()) (*on_signal)(signal);
    });
  }
}

}  // namespace fusebox::cli::fleet
