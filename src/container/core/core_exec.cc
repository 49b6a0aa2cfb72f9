// Further processes in running containers.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "container/core/core.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

constexpr std::size_t kExecsKept = 256;           // ended ones somebody may still ask for
constexpr std::uint32_t kExecsPerContainer = 16;  // at a time; each is an instance
constexpr base::Nanos kWaitMax = std::chrono::hours(24 * 365);

}  // namespace

Controlled<std::uint64_t> Containers::Core::exec(std::string_view name, const ExecOptions& options) {
  std::array<base::Fd, 3> fds;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (options.fds[i] < 0) continue;
    fds[i] = base::Fd::adopt(::fcntl(options.fds[i], F_DUPFD_CLOEXEC, 3));
    if (!fds[i]) return refuse(Errno::mfile, base::errno_error("duplicating a descriptor", errno).message);
  }
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(name);
  if (at == records_.end()) return refuse(Errno::noent, "there is no container " + base::in_quotes(name));
  const auto inside = at->second.run ? at->second.run->inside() : std::nullopt;
  if (!inside) return refuse(Errno::noent, std::string(name) + " does not run");
  if (at->second.run->sample().execs >= kExecsPerContainer) {
    return refuse(Errno::nospc, std::string(name) + " has " + std::to_string(kExecsPerContainer) +
                                    " further processes; that is the most allowed");
  }
  const std::uint64_t id = next_exec_++;
  auto exec = std::make_shared<ExecTask>(*this, id, at->second.run, *inside, options, std::move(fds));
  if (!at->second.run->add_exec(exec)) return refuse(Errno::noent, std::string(name) + " is ending");
  execs_[id] = exec;
  for (auto old = execs_.begin(); execs_.size() > kExecsKept && old != execs_.end();)
    old = is_terminal(old->second->status().state) ? execs_.erase(old) : std::next(old);
  scheduler_->start(std::move(exec));
  return id;
}

std::optional<ExecStatus> Containers::Core::exec_status(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto at = execs_.find(id);
  if (at == execs_.end()) return std::nullopt;
  return at->second->status();
}

std::optional<ExecStatus> Containers::Core::wait_exec(std::uint64_t id, base::Nanos timeout) const {
  std::unique_lock lock(mutex_);
  std::optional<ExecStatus> status;
  changed_.wait_for(lock, std::min(timeout, kWaitMax), [&] {
    const auto at = execs_.find(id);
    status = at == execs_.end() ? std::nullopt : std::optional(at->second->status());
    return !status || is_terminal(status->state);
  });
  return status;
}

Controlled<void> Containers::Core::stop_exec(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = execs_.find(id);
  if (at == execs_.end() || is_terminal(at->second->status().state))
    return refuse(Errno::noent, "process " + std::to_string(id) + " does not run");
  at->second->request_stop();
  return {};
}

void Containers::Core::forget_exec(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = execs_.find(id);
  if (at != execs_.end() && is_terminal(at->second->status().state)) execs_.erase(at);
}

void Containers::Core::exec_ended() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

}  // namespace fusebox::container
