#include "container/supervisor/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "container/supervisor/engine_process.h"

namespace fusebox::container {
namespace {

constexpr int kSignalExitBase = 128;

sigset_t stop_signals() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

std::unique_ptr<SignalThread> SignalThread::start(std::function<void()> on_first) {
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return std::unique_ptr<SignalThread>(new SignalThread(base::Fd::adopt(::signalfd(-1, &set, SFD_CLOEXEC)),
                                                        base::Fd::adopt(::eventfd(0, EFD_CLOEXEC)),
                                                        std::move(on_first)));
}

SignalThread::SignalThread(base::Fd signals, base::Fd end, std::function<void()> on_first)
    : signals_(std::move(signals)), end_(std::move(end)), on_first_(std::move(on_first)), thread_([this] { loop(); }) {}

SignalThread::~SignalThread() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(end_.get(), &one, sizeof one);
  thread_.join();
  const sigset_t set = stop_signals();  // a program that runs again starts with nothing blocked
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void SignalThread::loop() {
  bool first = true;
  for (;;) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
    if (::poll(fds, std::size(fds), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
    if (!first) ::_exit(kSignalExitBase + static_cast<int>(info.ssi_signo));
    first = false;
    on_first_();
  }
}

void reexecute_program(char** arguments) {
  const sigset_t set = stop_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::close_range(STDERR_FILENO + 1, ~0u, 0);
  ::execv("/proc/self/exe", arguments);
}

}  // namespace fusebox::container
