// The terminal in front of a container: its size, as the program inside sees it.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "containers/command_test.h"

namespace fusebox::testing {
namespace {

using ::testing::HasSubstr;

// A command with a pseudo-terminal of its own as its controlling terminal.
class AtTerminal {
 public:
  AtTerminal(std::vector<std::string> command, const std::vector<std::string>& environment, const std::string& folder,
             winsize size) {
    int primary = -1;
    pid_ = ::forkpty(&primary, nullptr, nullptr, &size);
    if (pid_ == 0) {
      for (const std::string& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
      std::vector<char*> words;
      for (std::string& word : command) words.push_back(word.data());
      words.push_back(nullptr);
      if (::chdir(folder.c_str()) == 0) ::execv(words[0], words.data());
      ::_exit(126);
    }
    primary_ = base::Fd::adopt(primary);
  }
  ~AtTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;

  void resize(unsigned short columns, unsigned short rows) const {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(::ioctl(primary_.get(), TIOCSWINSZ, &size), 0);  // the kernel sends SIGWINCH
  }
  void type(const std::string& keys) const {
    ASSERT_EQ(::write(primary_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  // All that was shown once `text` is in it, or when the command has ended or takes too long.
  std::string until(const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (shown_.find(text) == std::string::npos && std::chrono::steady_clock::now() < end) {
      pollfd output{primary_.get(), POLLIN, 0};
      if (::poll(&output, 1, 1000) <= 0) continue;
      char piece[4096];
      const ssize_t got = ::read(primary_.get(), piece, sizeof piece);
      if (got <= 0) break;  // EIO: the other end is closed
      shown_.append(piece, static_cast<std::size_t>(got));
    }
    return shown_;
  }
  int status() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  base::Fd primary_;
  std::string shown_;
};

class TerminalTest : public CommandTest {
 protected:
  std::unique_ptr<AtTerminal> at_terminal(std::vector<std::string> arguments, unsigned short columns,
                                          unsigned short rows) {
    arguments.insert(arguments.begin(), FUSEBOX_COMMAND);
    return std::make_unique<AtTerminal>(std::move(arguments), environment(), folder_.path().string(),
                                        winsize{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0});
  }
};

TEST_F(TerminalTest, ARunningProgramSeesEachSizeOfTheWindow) {
  const auto shown = at_terminal({"run", "-it", image("tools"), "--", "cat", "/dev/winsize"}, 80, 24);
  ASSERT_THAT(shown->until("80 24\r\n"), HasSubstr("80 24\r\n"));
  shown->resize(132, 43);
  ASSERT_THAT(shown->until("132 43\r\n"), HasSubstr("132 43\r\n"));
  shown->resize(40, 10);
  ASSERT_THAT(shown->until("40 10\r\n"), HasSubstr("40 10\r\n"));
  shown->type("\x03");
  EXPECT_EQ(shown->status(), 130);
}

TEST_F(TerminalTest, AProgramThatBeginsLaterSeesTheSizeOfNow) {
  const auto shown = at_terminal({"run", "-it", image("tools"), "--", "env"}, 100, 30);
  const std::string text = shown->until("LINES=30");
  EXPECT_THAT(text, HasSubstr("COLUMNS=100"));
  EXPECT_EQ(shown->status(), 0);
}

TEST_F(TerminalTest, WhoeverAttachesBringsTheSizeOfItsTerminal) {
  detach("shell", {"--interactive", image("tools"), "--", "cat", "/dev/winsize"});
  const auto shown = at_terminal({"attach", "shell"}, 91, 19);
  ASSERT_THAT(shown->until("91 19"), HasSubstr("91 19"));
  shown->resize(92, 20);
  ASSERT_THAT(shown->until("92 20"), HasSubstr("92 20"));
  EXPECT_EQ(fusebox({"stop", "shell"}).status, 0);
}

TEST_F(TerminalTest, WithoutATerminalTheSizeIsNotKnown) {
  ProcessOptions options;
  const Finished done = fusebox({"run", image("tools"), "--", "head", "-n", "1", "/dev/winsize"}, options);
  EXPECT_EQ(done.out, "0 0\n") << done.err;
}

}  // namespace
}  // namespace fusebox::testing
