#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string_view>

namespace fusebox::testing {
namespace {

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

[[noreturn]] void become(const std::vector<std::string>& command, const ProcessOptions& options, Pipe& in, Pipe& out,
                         Pipe& err) {
  dup2(in.ends[0], 0);
  dup2(out.ends[1], 1);
  dup2(err.ends[1], 2);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(127);
  for (const std::string& pair : options.environment) {
    const auto equals = pair.find('=');
    setenv(pair.substr(0, equals).c_str(), pair.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

// False at the end of the stream.
bool read_some(Pipe& from, std::string& into) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(from.ends[0], buffer.data(), buffer.size());
  if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

bool write_some(Pipe& to, std::string_view& left) {
  const ssize_t count = ::write(to.ends[1], left.data(), left.size());
  if (count < 0 && errno == EAGAIN) return true;
  if (count > 0) left.remove_prefix(static_cast<std::size_t>(count));
  return count > 0 && !left.empty();
}

void converse(int pid, const ProcessOptions& options, Pipe& in, Pipe& out, Pipe& err, Finished& finished) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kProcessSecondsMax);
  std::string_view left = options.input;
  if (left.empty()) in.close_end(1);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd waiting[3] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}, {in.ends[1], POLLOUT, 0}};
    if (::poll(waiting, 3, 1000) < 0 && errno != EINTR) break;
    if (std::chrono::steady_clock::now() > deadline) ::kill(pid, SIGKILL);
    if (waiting[0].revents != 0 && !read_some(out, finished.out)) out.close_end(0);
    if (waiting[1].revents != 0) {
      if (!read_some(err, finished.err)) err.close_end(0);
      if (options.on_error_output) options.on_error_output(pid, finished.err);
    }
    if (waiting[2].revents != 0 && !write_some(in, left)) in.close_end(1);
  }
}

// An instrumented program says so once when it first changes its stack; that is no word of the program.
void leave_out_notice([[maybe_unused]] std::string& err) {
#if defined(__SANITIZE_ADDRESS__)
  const std::size_t notice = err.find("WARNING: ASan doesn't fully support makecontext");
  if (notice == std::string::npos) return;
  const std::size_t line = err.rfind('\n', notice);
  const std::size_t from = line == std::string::npos ? 0 : line + 1;
  err.erase(from, err.find('\n', notice) + 1 - from);
#endif
}

}  // namespace

Finished run_process(const std::vector<std::string>& command, const ProcessOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in, out, err;
  Finished finished;
  const pid_t pid = ::fork();
  if (pid == 0) become(command, options, in, out, err);
  in.close_end(0);
  out.close_end(1);
  err.close_end(1);
  // A program that answers before it has read all must not wait for us while we wait for it.
  ::fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  converse(pid, options, in, out, err, finished);
  leave_out_notice(finished.err);
  int status = 0;
  ::waitpid(pid, &status, 0);
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

}  // namespace fusebox::testing
