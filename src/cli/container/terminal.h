// The terminal of an interactive container: keys as they are typed, and its size.
//
// Threads  one thread; one RawTerminal per process.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

namespace fusebox::cli {

// While it lives, standard input gives every key at once and without echo; Ctrl-C still interrupts. Does nothing when
// standard input is no terminal. Restores the terminal when destroyed, and when the process ends by exit().
class RawTerminal {
 public:
  RawTerminal();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  std::optional<termios> before_;
};

// TERM, COLUMNS and LINES as NAME=VALUE, empty when standard output is no terminal.
std::vector<std::string> terminal_env();

}  // namespace fusebox::cli
