#include "vfs/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "vfs/device/device_file.h"
#include "vfs/net/connection.h"
#include "vfs/net/limits.h"
#include "vfs/net/resolution.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

Errno again_or(const Call& call, Errno error) noexcept {
  return error == Errno::would_block && call.nonblocking ? Errno::again : error;
}

class StreamListener final : public Listener, public std::enable_shared_from_this<StreamListener> {
 public:
  StreamListener(base::Fd fd, std::shared_ptr<TlsContext> tls, std::shared_ptr<RateLimit> limit,
                 std::function<void(std::string_view)> report)
      : fd_(std::move(fd)), tls_(std::move(tls)), limit_(std::move(limit)), report_(std::move(report)) {}
  std::unique_ptr<File> open(const Stat& node, FdFlags flags) override;

  Io<std::unique_ptr<File>> accept(Call& call, const Stat& node, FdFlags flags) {
    base::Fd fd;
    do {  // a connection that was given up while it waited is nobody's error
      fd = base::Fd::adopt(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    } while (!fd && (errno == ECONNABORTED || errno == EINTR));
    if (!fd) {
      if (errno != EAGAIN) return fail(from_host(errno));
      call.waits.host_ready(fd_.get(), POLLIN);
      return fail(again_or(call, Errno::would_block));
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto link = tls_ ? tls_->make_link(std::move(fd), {}, report_) : make_stream_link(std::move(fd));
    if (!link) return fail(Errno::nomem);
    // The handshake is the accepted socket's own: a slow peer keeps nobody from the next connection.
    auto connection = std::make_shared<Connection>(std::move(link), limit_, call.clock.monotonic() + kConnectTime);
    return make_socket_file(node, flags, std::move(connection), false);
  }
  Readiness poll(Call& call) { return {.ready = host_ready(call, fd_.get(), POLLIN)}; }

 private:
  base::Fd fd_;
  std::shared_ptr<TlsContext> tls_;
  std::shared_ptr<RateLimit> limit_;
  std::function<void(std::string_view)> report_;
};

class ListeningFile final : public DeviceFile {
 public:
  ListeningFile(const Stat& node, FdFlags flags, std::shared_ptr<StreamListener> listener)
      : DeviceFile(node, flags), listener_(std::move(listener)) {}
  Io<std::size_t> read(Call&, ReadBuffers) override { return fail(Errno::notconn); }
  Io<std::size_t> write(Call&, WriteBuffers) override { return fail(Errno::notconn); }
  Io<Received> receive(Call&, ReadBuffers, RecvFlags) override { return fail(Errno::notconn); }
  Io<std::size_t> send(Call&, WriteBuffers) override { return fail(Errno::notconn); }
  Io<void> shutdown(Call&, bool, bool) override { return fail(Errno::notconn); }
  Io<std::unique_ptr<File>> accept(Call& call, FdFlags flags) override { return listener_->accept(call, node_, flags); }
  Readiness poll(Call& call, bool for_writing) override {
    // Nothing will ever make a listening socket writable: whoever asks learns that.
    if (for_writing) return {.ready = true, .error = Errno::notconn};
    return listener_->poll(call);
  }

 private:
  std::shared_ptr<StreamListener> listener_;
};

std::unique_ptr<File> StreamListener::open(const Stat& node, FdFlags flags) {
  return std::make_unique<ListeningFile>(node, flags, shared_from_this());
}

// Answers go to whoever sent the datagram read last.
class DatagramListener final : public Listener, public std::enable_shared_from_this<DatagramListener> {
 public:
  DatagramListener(base::Fd fd, std::shared_ptr<RateLimit> limit) : fd_(std::move(fd)), limit_(std::move(limit)) {}
  std::unique_ptr<File> open(const Stat& node, FdFlags flags) override;

  Io<Received> read(Call& call, ReadBuffers to, bool peek) {
    if (limit_->allowance(1) == 0) return fail(limited(call));
    std::string whole;
    std::span<std::byte> into[1];
    if (to.size() == 1) {
      into[0] = to[0];
    } else {
      whole.resize(std::min(size_of(to), kDatagramBytesMax + 1));
      into[0] = std::as_writable_bytes(std::span(whole));
    }
    iovec vector{.iov_base = into[0].data(), .iov_len = into[0].size()};
    HostAddress from;
    msghdr message{};
    message.msg_name = &from.storage;
    message.msg_namelen = sizeof(from.storage);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
    if (n < 0) return fail(waiting(call, POLLIN));
    if (!peek) {
      limit_->spend(static_cast<std::size_t>(n));
      from.size = message.msg_namelen;
      const std::lock_guard lock(mutex_);
      peer_ = from;
    }
    if (!whole.empty()) scatter(base::as_bytes(whole).first(static_cast<std::size_t>(n)), to);
    return Received{.bytes = static_cast<std::size_t>(n), .truncated = (message.msg_flags & MSG_TRUNC) != 0};
  }

  Io<std::size_t> write(Call& call, WriteBuffers from) {
    if (size_of(from) > kDatagramBytesMax) return fail(Errno::msgsize);
    std::optional<HostAddress> peer;
    {
      const std::lock_guard lock(mutex_);
      peer = peer_;
    }
    if (!peer) return fail(Errno::destaddrreq);
    if (limit_->allowance(1) == 0) return fail(limited(call));
    const std::string datagram = gather(from);
    const ssize_t n =
        ::sendto(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL, peer->get(), peer->size);
    if (n < 0) return fail(waiting(call, POLLOUT));
    limit_->spend(datagram.size());
    return static_cast<std::size_t>(n);
  }

  Readiness poll(Call& call, bool for_writing) {
    if (limit_->allowance(1) == 0) {
      call.waits.until(limit_->next());
      return {};
    }
    return poll_host(call, fd_.get(), for_writing);
  }

 private:
  Errno limited(Call& call) {
    call.waits.until(limit_->next());
    return again_or(call, Errno::would_block);
  }
  Errno waiting(Call& call, short events) {
    if (errno != EAGAIN && errno != EINTR) return from_host(errno);
    call.waits.host_ready(fd_.get(), events);
    return again_or(call, Errno::would_block);
  }
  base::Fd fd_;
  std::shared_ptr<RateLimit> limit_;
  std::mutex mutex_;
  std::optional<HostAddress> peer_;  // guarded by mutex_
};

class DatagramFile final : public DeviceFile {
 public:
  DatagramFile(const Stat& node, FdFlags flags, std::shared_ptr<DatagramListener> listener)
      : DeviceFile(node, flags), listener_(std::move(listener)) {}
  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    const auto received = listener_->read(call, to, false);
    if (!received) return fail(received.error());
    return received->bytes;
  }
  Io<std::size_t> write(Call& call, WriteBuffers from) override { return listener_->write(call, from); }
  Io<Received> receive(Call& call, ReadBuffers to, RecvFlags flags) override {
    return listener_->read(call, to, flags.peek);
  }
  Io<std::size_t> send(Call& call, WriteBuffers from) override { return listener_->write(call, from); }
  Io<void> shutdown(Call&, bool, bool) override { return fail(Errno::notconn); }
  Io<std::unique_ptr<File>> accept(Call&, FdFlags) override { return fail(Errno::inval); }
  Readiness poll(Call& call, bool for_writing) override { return listener_->poll(call, for_writing); }

 private:
  std::shared_ptr<DatagramListener> listener_;
};

std::unique_ptr<File> DatagramListener::open(const Stat& node, FdFlags flags) {
  return std::make_unique<DatagramFile>(node, flags, shared_from_this());
}

base::Result<base::Fd> bind_to(const SocketAddress& address) {
  const auto refuse = [&](std::string_view step) {
    return base::fail(base::Errc::io,
                      "listen on " + to_string(address) + ": " + std::string(step) + ": " + std::strerror(errno));
  };
  // Nothing is looked up while a container is launched.
  const auto host = literal_address(address.host == "localhost" ? "127.0.0.1" : address.host, address.port);
  if (!host) {
    return base::fail(base::Errc::invalid, "listen on " + to_string(address) + ": the host is not an address");
  }
  const int type = address.datagram() ? SOCK_DGRAM : SOCK_STREAM;
  base::Fd fd = base::Fd::adopt(::socket(host->family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return refuse("socket");
  const int on = 1;
  if (!address.datagram()) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), host->get(), host->size) != 0) return refuse("bind");
  if (!address.datagram() && ::listen(fd.get(), kBacklog) != 0) return refuse("listen");
  return fd;
}

}  // namespace

base::Result<std::shared_ptr<Listener>> make_listener(const SocketAddress& address, std::shared_ptr<TlsContext> tls,
                                                      std::shared_ptr<RateLimit> limit,
                                                      std::function<void(std::string_view)> report) {
  auto fd = bind_to(address);
  if (!fd) return std::unexpected(std::move(fd.error()));
  if (address.datagram()) return std::make_shared<DatagramListener>(std::move(*fd), std::move(limit));
  return std::make_shared<StreamListener>(std::move(*fd), std::move(tls), std::move(limit), std::move(report));
}

}  // namespace fusebox::vfs
