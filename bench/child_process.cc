#include "child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace fusebox::cli::bench {
namespace {

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&raw_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { ::posix_spawn_file_actions_destroy(&raw_); }
  posix_spawn_file_actions_t* get() noexcept { return &raw_; }

 private:
  posix_spawn_file_actions_t raw_{};
};

// posix_spawn takes arrays of pointers to mutable text that it does not change.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

base::Result<int> run_child(const ChildOptions& options) {
  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDOUT_FILENO, options.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
  const std::vector<char*> arguments = pointers_to(options.arguments);
  const std::vector<char*> environment = pointers_to(options.environment);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, arguments[0], actions.get(), nullptr, arguments.data(), environment.data());
  if (error != 0) return base::fail(base::errno_error("start " + options.arguments[0], error));
  int status = 0;

  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return base::fail(base::errno_error("wait for " + options.arguments[0], errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace fusebox::cli::bench
