// Descriptors of the host behind a console. They are shared with who knows whom, so O_NONBLOCK is never set on them: each
// kind has its own way not to block.
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/files.h"
#include "vfs/console/console.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

// One host call takes this many buffers; more are gathered first, at most kGatherBytesMax at a time.
constexpr std::size_t kVectorsMax = 16;
constexpr std::size_t kGatherBytesMax = 1u << 20;

enum class Kind : std::uint8_t { file, pipe, socket, terminal, other };

Kind kind_of(int fd) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return Kind::other;
  if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) return Kind::file;
  if (S_ISFIFO(status.st_mode)) return Kind::pipe;
  if (S_ISSOCK(status.st_mode)) return Kind::socket;
  return ::isatty(fd) == 1 ? Kind::terminal : Kind::other;
}

bool is_character(int fd) noexcept {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

// A terminal blocks in the middle of a write that poll() allowed. An open file description of our own does not, and leaves
// the shared one as it is. Without the right to open the terminal again there is none.
base::Fd own_terminal(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return base::Fd::adopt(::open(path.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

struct Vectors {
  std::array<iovec, kVectorsMax> at;
  int count = 0;
  void add(const void* data, std::size_t size) noexcept {
    if (size != 0) at[static_cast<std::size_t>(count++)] = {const_cast<void*>(data), size};
  }
};

class HostConsole final : public Console {
 public:
  HostConsole(int fd, std::shared_ptr<void> keep)
      : fd_(fd), keep_(std::move(keep)), kind_(kind_of(fd)), character_(is_character(fd)) {
    if (kind_ == Kind::terminal) terminal_ = own_terminal(fd);
  }

  FileType type() const noexcept override { return character_ ? FileType::character : FileType::regular; }

  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    const auto ready = allows(call, POLLIN);
    if (!ready) return fail(ready.error());
    Vectors vectors;
    for (const auto& buffer : to.first(std::min(to.size(), kVectorsMax))) vectors.add(buffer.data(), buffer.size());
    return answer(call, POLLIN, read_now(vectors));
  }

  Io<std::size_t> write(Call& call, WriteBuffers from) override {
    const auto ready = allows(call, POLLOUT);
    if (!ready) return fail(ready.error());
    if (from.size() > kVectorsMax) {
      const std::string all = gather(from, kGatherBytesMax);
      Vectors one;
      one.add(all.data(), all.size());
      return answer(call, POLLOUT, write_now(one, all.size()));
    }
    Vectors vectors;
    for (const auto& buffer : from) vectors.add(buffer.data(), buffer.size());
    return answer(call, POLLOUT, write_now(vectors, size_of(from)));
  }

  Readiness poll(Call& call, bool for_writing) override {
    if (kind_ == Kind::file) return {.ready = true};
    pollfd asked{.fd = fd_, .events = static_cast<short>(for_writing ? POLLOUT : POLLIN), .revents = 0};
    if (::poll(&asked, 1, 0) < 1) {
      call.waits.host_ready(fd_, asked.events);
      return {};
    }
    if ((asked.revents & POLLNVAL) != 0) return {.ready = true, .error = Errno::badf};
    int bytes = 0;
    if (!for_writing && ::ioctl(fd_, FIONREAD, &bytes) != 0) bytes = 0;
    return {.ready = true,
            .hangup = (asked.revents & POLLHUP) != 0,
            .bytes = static_cast<std::uint64_t>(std::max(bytes, 0))};
  }

 private:
  // Before anything that could block: what the host says now.
  Io<void> allows(Call& call, short events) {
    if (kind_ == Kind::file) return {};
    pollfd asked{.fd = fd_, .events = events, .revents = 0};
    if (::poll(&asked, 1, 0) > 0) return (asked.revents & POLLNVAL) != 0 ? Io<void>(fail(Errno::badf)) : Io<void>();
    return fail(wait(call, events));
  }
  Errno wait(Call& call, short events) {
    if (call.nonblocking) return Errno::again;
    call.waits.host_ready(fd_, events);
    return Errno::would_block;
  }
  Io<std::size_t> answer(Call& call, short events, ssize_t result) {
    if (result >= 0) return static_cast<std::size_t>(result);
    if (errno == EAGAIN || errno == EINTR) return fail(wait(call, events));
    return fail(from_host(errno));
  }

  // Somebody else may have been faster since poll(): pipes and sockets are asked not to wait, where the kernel knows how.
  ssize_t read_now(Vectors& vectors) {
    if (kind_ == Kind::socket) {
      msghdr message{};
      message.msg_iov = vectors.at.data();
      message.msg_iovlen = static_cast<std::size_t>(vectors.count);
      return ::recvmsg(fd_, &message, MSG_DONTWAIT);
    }
    if (kind_ == Kind::pipe) {
      const ssize_t n = ::preadv2(fd_, vectors.at.data(), vectors.count, -1, RWF_NOWAIT);
      if (n >= 0 || !unsupported()) return n;
    }
    return ::readv(terminal_ ? terminal_.get() : fd_, vectors.at.data(), vectors.count);
  }

  ssize_t write_now(Vectors& vectors, std::size_t size) {
    if (kind_ == Kind::socket) {
      msghdr message{};
      message.msg_iov = vectors.at.data();
      message.msg_iovlen = static_cast<std::size_t>(vectors.count);
      return ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (kind_ == Kind::pipe) {
      const ssize_t n = ::pwritev2(fd_, vectors.at.data(), vectors.count, -1, RWF_NOWAIT);
      if (n >= 0 || !unsupported()) return n;
      // A pipe that polls writable takes this much at once.
      if (size > PIPE_BUF) cut(vectors, PIPE_BUF);
    }
    return ::writev(terminal_ ? terminal_.get() : fd_, vectors.at.data(), vectors.count);
  }
  static bool unsupported() noexcept { return errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL; }
  static void cut(Vectors& vectors, std::size_t bytes) noexcept {
    for (int i = 0; i < vectors.count; ++i) {
      iovec& vector = vectors.at[static_cast<std::size_t>(i)];
      vector.iov_len = std::min(vector.iov_len, bytes);
      bytes -= vector.iov_len;
    }
  }

  const int fd_;
  const std::shared_ptr<void> keep_;
  const Kind kind_;
  const bool character_;
  base::Fd terminal_;
};

}  // namespace

std::shared_ptr<Console> make_host_console(int host_fd, std::shared_ptr<void> keep) {
  return std::make_shared<HostConsole>(host_fd, std::move(keep));
}

}  // namespace fusebox::vfs
