#include "http/socket_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "http/limits.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;
using base::Task;

void keep_alive(int fd) noexcept {
  const int on = 1;
  const int seconds = static_cast<int>(kTcpKeepalive.count());
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
}

// The tasks keep the socket, not the stream: a stream may be destroyed under a task that waits in it.
Task<Result<std::size_t>> read_from(std::shared_ptr<Socket> socket, std::span<char> into) {
  for (;;) {
    if (!socket->is_open()) co_return base::fail(Errc::stopped, "the stream was closed");
    const std::ptrdiff_t got = socket->receive(into);
    if (got >= 0) co_return static_cast<std::size_t>(got);
    if (got == Socket::kBroken) co_return base::fail(Errc::unavailable, "the connection broke");
    const bool ready = co_await socket->readable();
    if (!ready) co_return base::fail(Errc::stopped, "the stream was closed");
  }
}

Task<Result<void>> write_to(std::shared_ptr<Socket> socket, std::string_view bytes) {
  while (!bytes.empty()) {
    if (!socket->is_open()) co_return base::fail(Errc::stopped, "the stream was closed");
    const std::ptrdiff_t sent = socket->send(bytes);
    if (sent == Socket::kBroken) co_return base::fail(Errc::unavailable, "the connection broke");
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (sent >= 0) continue;
    const bool ready = co_await socket->writable();
    if (!ready) co_return base::fail(Errc::stopped, "the stream was closed");
  }
  co_return Result<void>{};
}

class SocketStream final : public ByteStream {
 public:
  SocketStream(std::shared_ptr<Socket> socket, std::string early) noexcept
      : socket_(std::move(socket)), early_(std::move(early)) {}
  ~SocketStream() override { close(); }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    if (used_ == early_.size() || into.empty()) return read_from(socket_, into);
    return read_early(into);
  }
  Task<Result<void>> write(std::string_view bytes) override { return write_to(socket_, bytes); }
  void close() noexcept override { socket_->close(); }

 private:
  Task<Result<std::size_t>> read_early(std::span<char> into) {
    const std::size_t bytes = std::min(into.size(), early_.size() - used_);
    std::copy_n(early_.data() + used_, bytes, into.data());
    used_ += bytes;
    co_return bytes;
  }

  std::shared_ptr<Socket> socket_;
  std::string early_;
  std::size_t used_ = 0;
};

}  // namespace

std::unique_ptr<ByteStream> stream_of(std::shared_ptr<Socket> socket, std::string early) {
  keep_alive(socket->fd());
  return std::make_unique<SocketStream>(std::move(socket), std::move(early));
}

}  // namespace fusebox::http
