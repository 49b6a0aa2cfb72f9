#include "cli/container/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace fusebox::cli {

RawTerminal::RawTerminal() {
  termios now{};
  if (::isatty(STDIN_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &now) != 0) return;
  before_ = now;
  now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
}

RawTerminal::~RawTerminal() {
  if (before_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*before_);
}

std::vector<std::string> terminal_env() {
  std::vector<std::string> env;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return env;
  env.push_back("COLUMNS=" + std::to_string(size.ws_col));
  env.push_back("LINES=" + std::to_string(size.ws_row));
  if (const char* term = ::getenv("TERM"); term != nullptr) env.push_back(std::string("TERM=") + term);
  return env;
}

}  // namespace fusebox::cli
