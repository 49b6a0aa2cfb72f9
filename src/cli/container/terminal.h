// The terminal of an interactive container: keys as they are typed, and its size.
//
// Threads  one thread; one RawTerminal and one WindowWatch per process.
#pragma once

#include <signal.h>
#include <termios.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vfs/console/window.h"

namespace fusebox::cli {

enum class Keys : std::uint8_t {
  interrupting,  // Ctrl-C and its like still make signals
  all            // every key is passed on: another terminal at the far end deals with them
};

// While it lives, standard input gives every key at once and without echo. Does nothing when standard input is no
// terminal. Restores the terminal when destroyed, and when the process ends by exit().
class RawTerminal {
 public:
  explicit RawTerminal(Keys keys = Keys::interrupting);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  std::optional<termios> before_;
};

// Of standard output; zeros when it is no terminal.
vfs::WindowSize terminal_size() noexcept;

// Tells every new size of the terminal (SIGWINCH) as long as it lives; does nothing when standard output is no terminal.
//
// Owner    The thread that waits for the signal ends with the object, which restores the signal mask.
// Threads  Make it before other threads start, an InterruptGuard's too, so that they inherit the blocked signals.
//          `on_change` is called on the waiting thread.
class WindowWatch {
 public:
  explicit WindowWatch(std::function<void(vfs::WindowSize)> on_change);
  ~WindowWatch();
  WindowWatch(const WindowWatch&) = delete;
  WindowWatch& operator=(const WindowWatch&) = delete;

 private:
  void wait();
  std::function<void(vfs::WindowSize)> on_change_;
  sigset_t signals_{};
  sigset_t before_{};
  std::thread waiter_;
};

// TERM, COLUMNS and LINES as NAME=VALUE, empty when standard output is no terminal.
std::vector<std::string> terminal_env();

}  // namespace fusebox::cli
