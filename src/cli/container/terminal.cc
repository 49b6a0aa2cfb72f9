#include "cli/container/terminal.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

namespace fusebox::cli {
namespace {
constexpr int kEndSignal = SIGUSR2;  // wakes the waiter when the watch ends; blocked, so it never reaches anybody else
}  // namespace

RawTerminal::RawTerminal(Keys keys) {
  termios now{};
  if (::isatty(STDIN_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &now) != 0) return;
  before_ = now;
  if (keys == Keys::all) {
    ::cfmakeraw(&now);
  } else {
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  }
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
}

RawTerminal::~RawTerminal() {
  if (before_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*before_);
}

vfs::WindowSize terminal_size() noexcept {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

WindowWatch::WindowWatch(std::function<void(vfs::WindowSize)> on_change) : on_change_(std::move(on_change)) {
  if (::isatty(STDOUT_FILENO) != 1) return;
  sigemptyset(&signals_);
  for (const int signal : {SIGWINCH, kEndSignal}) sigaddset(&signals_, signal);
  // The waiter takes no other signal: an interrupt belongs to whoever waits for it.
  sigset_t all{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
  waiter_ = std::thread([this] { wait(); });
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  pthread_setname_np(waiter_.native_handle(), "fusebox-window");
}

WindowWatch::~WindowWatch() {
  if (!waiter_.joinable()) return;
  pthread_kill(waiter_.native_handle(), kEndSignal);
  waiter_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void WindowWatch::wait() {
  for (;;) {
    int signal = 0;
    sigwait(&signals_, &signal);
    if (signal == kEndSignal) return;
    on_change_(terminal_size());
  }
}

std::vector<std::string> terminal_env() {
  std::vector<std::string> env;
  const vfs::WindowSize size = terminal_size();
  if (size.columns == 0) return env;
  env.push_back("COLUMNS=" + std::to_string(size.columns));
  env.push_back("LINES=" + std::to_string(size.rows));
  if (const char* term = ::getenv("TERM"); term != nullptr) env.push_back(std::string("TERM=") + term);
  return env;
}

}  // namespace fusebox::cli
