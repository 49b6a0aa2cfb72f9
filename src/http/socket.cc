#include "http/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>

#include "http/loop_impl.h"
#include "http/tls.h"

namespace fusebox::http {

using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

struct Socket::Impl {
  explicit Impl(boost::asio::io_context& context) : descriptor(context) {}
  Descriptor descriptor;
  int fd = -1;  // the descriptor's own, without the way through Asio
};

Socket::Socket(Loop& loop, std::unique_ptr<Impl> impl) noexcept : loop_(loop), impl_(std::move(impl)) {}
Socket::~Socket() {
  close();
}

base::Result<std::shared_ptr<Socket>> Socket::adopt(Loop& loop, int fd) {
  auto impl = std::make_unique<Impl>(loop.impl().context);
  boost::system::error_code error;
  impl->descriptor.assign(fd, error);
  if (error) {
    ::close(fd);
    return base::fail(base::errno_error("socket", error.value()));
  }
  impl->fd = fd;
  impl->descriptor.non_blocking(true, error);
  return std::shared_ptr<Socket>(new Socket(loop, std::move(impl)));
}

std::ptrdiff_t Socket::receive(std::span<char> into) noexcept {
  if (impl_->fd < 0) return kBroken;
  if (tls_) return tls_->receive(into);
  for (;;) {
    const ssize_t got = ::recv(impl_->fd, into.data(), into.size(), 0);
    if (got >= 0) return got;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? kAgain : kBroken;
  }
}

std::ptrdiff_t Socket::send(std::string_view first, std::string_view second, std::string_view third) noexcept {
  if (impl_->fd < 0) return kBroken;
  if (tls_) return tls_->send(!first.empty() ? first : !second.empty() ? second : third);
  for (;;) {
    ssize_t sent = 0;
    if (second.empty() && third.empty()) {
      sent = ::send(impl_->fd, first.data(), first.size(), MSG_NOSIGNAL);
    } else {
      std::array<iovec, 3> pieces{};
      std::size_t count = 0;
      for (const std::string_view piece : {first, second, third}) {
        if (!piece.empty()) pieces[count++] = {const_cast<char*>(piece.data()), piece.size()};
      }
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = count;
      sent = ::sendmsg(impl_->fd, &message, MSG_NOSIGNAL);
    }
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? kAgain : kBroken;
  }
}

bool Socket::holds_received() const noexcept {
  return tls_ && tls_->holds_received();
}

void Socket::wait(Way way, void (*call)(void*, bool), void* context) {
  Slot& of = slot(way);
  of.call = call;
  of.context = context;
  if (of.armed) return;  // the wait that is under way serves the newcomer
  of.armed = true;
  const auto kind = way == Way::read ? Descriptor::wait_read : Descriptor::wait_write;
  impl_->descriptor.async_wait(
      kind, [self = shared_from_this(), way](const boost::system::error_code& error) { self->ready(way, !error); });
}

void Socket::ready(Way way, bool ok) {
  Slot& of = slot(way);
  of.armed = false;
  const auto call = std::exchange(of.call, nullptr);
  if (call != nullptr) call(std::exchange(of.context, nullptr), ok);
}

void Socket::forget(Way way, const void* context) noexcept {
  Slot& of = slot(way);
  if (of.context == context) of.call = nullptr, of.context = nullptr;
}

void Socket::when_readable(void (*call)(void* context, bool ok), void* context) {
  wait(Way::read, call, context);
}
void Socket::forget_readable() noexcept {
  reading_.call = nullptr;
  reading_.context = nullptr;
}

// The kernel's wait goes on; whoever waits next is served by it.
void Socket::interrupt(Way way) {
  Slot& of = slot(way);
  const auto call = std::exchange(of.call, nullptr);
  if (call != nullptr) call(std::exchange(of.context, nullptr), false);
}

void Socket::close() noexcept {
  if (impl_->fd < 0) return;
  if (tls_) tls_->say_goodbye();
  impl_->fd = -1;
  boost::system::error_code ignored;
  impl_->descriptor.close(ignored);
  ticket_.reset();
}

void Socket::shut_down_sending() noexcept {
  if (impl_->fd < 0) return;
  if (tls_) tls_->say_goodbye();
  ::shutdown(impl_->fd, SHUT_WR);
}

bool Socket::is_open() const noexcept {
  return impl_->fd >= 0;
}
int Socket::fd() const noexcept {
  return impl_->fd;
}

void Socket::set_tls(std::unique_ptr<TlsSession> tls) noexcept {
  tls_ = std::move(tls);
}

}  // namespace fusebox::http
