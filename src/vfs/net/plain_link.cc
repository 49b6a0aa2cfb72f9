#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "vfs/net/limits.h"
#include "vfs/net/link.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

// The first buffers of a call as the host takes them.
template <class Buffers>
struct Vectors {
  std::array<iovec, kVectorsMax> at;
  std::size_t count = 0;
  explicit Vectors(Buffers buffers) noexcept {
    for (const auto& buffer : buffers) {
      if (count == kVectorsMax) return;
      if (!buffer.empty()) {
        at[count++] = {const_cast<void*>(static_cast<const void*>(buffer.data())), buffer.size()};
      }
    }
  }
};

Errno host_error() noexcept {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Errno::would_block : from_host(errno);
}

class SocketLink final : public Link {
 public:
  SocketLink(base::Fd fd, bool datagrams) noexcept : fd_(std::move(fd)), datagrams_(datagrams) {}
  Io<Received> read(Call& call, ReadBuffers to, bool peek) override {
    auto received = receive_now(fd_.get(), to, peek);
    if (received) {
      received->truncated = received->truncated && datagrams_;
    } else if (received.error() == Errno::would_block) {
      call.waits.host_ready(fd_.get(), POLLIN);
    }
    return received;
  }
  Io<std::size_t> write(Call& call, WriteBuffers from) override {
    if (datagrams_ && size_of(from) > kDatagramBytesMax) return fail(Errno::msgsize);
    const auto sent = send_now(fd_.get(), from);
    if (!sent && sent.error() == Errno::would_block) call.waits.host_ready(fd_.get(), POLLOUT);
    return sent;
  }
  Readiness poll(Call& call, bool for_writing) override { return poll_host(call, fd_.get(), for_writing); }
  Io<void> shutdown(bool reading, bool writing) override {
    const int how = reading && writing ? SHUT_RDWR : reading ? SHUT_RD : SHUT_WR;
    if (::shutdown(fd_.get(), how) == 0) return {};
    return fail(from_host(errno));
  }

 private:
  base::Fd fd_;
  const bool datagrams_;
};

class SerialLink final : public Link {
 public:
  explicit SerialLink(base::Fd fd) noexcept : fd_(std::move(fd)) {}
  Io<Received> read(Call& call, ReadBuffers to, bool peek) override {
    if (peek) return fail(Errno::notsup);
    const Vectors vectors(to);
    const ssize_t n = ::readv(fd_.get(), vectors.at.data(), static_cast<int>(vectors.count));
    if (n >= 0) return Received{.bytes = static_cast<std::size_t>(n)};
    return fail(wait(call, POLLIN));
  }
  Io<std::size_t> write(Call& call, WriteBuffers from) override {
    const Vectors vectors(from);
    const ssize_t n = ::writev(fd_.get(), vectors.at.data(), static_cast<int>(vectors.count));
    if (n >= 0) return static_cast<std::size_t>(n);
    return fail(wait(call, POLLOUT));
  }
  Readiness poll(Call& call, bool for_writing) override { return poll_host(call, fd_.get(), for_writing); }
  Io<void> shutdown(bool, bool) override { return {}; }

 private:
  Errno wait(Call& call, short events) {
    const Errno error = host_error();
    if (error == Errno::would_block) call.waits.host_ready(fd_.get(), events);
    return error;
  }
  base::Fd fd_;
};

}  // namespace

bool host_ready(Call& call, int fd, short events) {
  pollfd asked{.fd = fd, .events = events, .revents = 0};
  if (::poll(&asked, 1, 0) > 0) return true;
  call.waits.host_ready(fd, events);
  return false;
}

Readiness poll_host(Call& call, int fd, bool for_writing) {
  pollfd asked{.fd = fd, .events = static_cast<short>(for_writing ? POLLOUT : POLLIN | POLLRDHUP), .revents = 0};
  if (::poll(&asked, 1, 0) < 1) {
    call.waits.host_ready(fd, for_writing ? POLLOUT : POLLIN);
    return {};
  }
  int bytes = 0;
  if (!for_writing && ::ioctl(fd, FIONREAD, &bytes) != 0) bytes = 0;
  return {.ready = true,
          .hangup = (asked.revents & (POLLHUP | POLLRDHUP)) != 0,
          .bytes = static_cast<std::uint64_t>(std::max(bytes, 0))};
}

Io<std::size_t> send_now(int fd, WriteBuffers from) {
  std::string joined;
  std::span<const std::byte> one[1];
  if (from.size() > kVectorsMax) {
    joined = gather(from, kDatagramBytesMax + 1);
    one[0] = base::as_bytes(joined);
    from = one;
  }
  Vectors vectors(from);
  msghdr message{};
  message.msg_iov = vectors.at.data();
  message.msg_iovlen = vectors.count;
  const ssize_t n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) return static_cast<std::size_t>(n);
  // However the host says it: nobody is there to take it.
  return fail(errno == ECONNRESET ? Errno::pipe : host_error());
}

Io<Received> receive_now(int fd, ReadBuffers to, bool peek) {
  Vectors vectors(to);
  msghdr message{};
  message.msg_iov = vectors.at.data();
  message.msg_iovlen = vectors.count;
  const ssize_t n = ::recvmsg(fd, &message, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
  if (n < 0) return fail(host_error());
  return Received{.bytes = static_cast<std::size_t>(n), .truncated = (message.msg_flags & MSG_TRUNC) != 0};
}

std::unique_ptr<Link> make_stream_link(base::Fd fd) {
  return std::make_unique<SocketLink>(std::move(fd), false);
}
std::unique_ptr<Link> make_datagram_link(base::Fd fd) {
  return std::make_unique<SocketLink>(std::move(fd), true);
}

Io<std::unique_ptr<Link>> open_serial_link(const std::string& path) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(from_host(errno));
  termios mode{};
  if (::tcgetattr(fd.get(), &mode) != 0) return fail(from_host(errno));
  ::cfmakeraw(&mode);  // 8 bits, no parity
  mode.c_cflag |= CREAD | CLOCAL;
  mode.c_cflag &= ~static_cast<tcflag_t>(CSTOPB);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  if (::tcsetattr(fd.get(), TCSANOW, &mode) != 0) return fail(from_host(errno));
  ::tcflush(fd.get(), TCIFLUSH);
  return std::make_unique<SerialLink>(std::move(fd));
}

}  // namespace fusebox::vfs
