#include "http/async/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>

#include "base/files.h"
#include "http/limits.h"
#include "http/loop_impl.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;
using base::Task;
using Tcp = boost::asio::ip::tcp;

// A lookup that can be given up: whoever comes first, the answer or the end of the call, wakes the task.
struct Lookup {
  std::vector<Tcp::endpoint> found;
  bool done = false;
  std::coroutine_handle<> waiter;

  void finish() {
    if (std::exchange(done, true)) return;
    if (waiter) std::exchange(waiter, {}).resume();
  }
};

struct LookedUp {
  std::shared_ptr<Lookup> lookup;
  bool await_ready() const noexcept { return lookup->done; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { lookup->waiter = waiter; }
  void await_resume() const noexcept {}
  ~LookedUp() { lookup->waiter = {}; }
};

// getaddrinfo(3) runs on the one thread Asio keeps for it, in turn; addresses in numbers take no such way.
Task<Result<std::vector<Tcp::endpoint>>> resolve(Loop& loop, std::shared_ptr<Call> call, std::string host,
                                                 std::uint16_t port) {
  boost::system::error_code not_numeric;
  const auto address = boost::asio::ip::make_address(host, not_numeric);
  std::vector<Tcp::endpoint> known;
  if (!not_numeric) known.emplace_back(address, port);
  if (!known.empty()) co_return std::move(known);
  auto lookup = std::make_shared<Lookup>();
  Tcp::resolver resolver(loop.impl().context);
  resolver.async_resolve(host, std::to_string(port), Tcp::resolver::numeric_service,
                         [lookup](const boost::system::error_code& error, const Tcp::resolver::results_type& results) {
                           if (lookup->done) return;
                           for (const auto& each : results) {
                             if (!error && lookup->found.size() < kPinnedAddressesMax)
                               lookup->found.push_back(each.endpoint());
                           }
                           lookup->finish();
                         });
  std::function<void()> give_up = [lookup] { lookup->finish(); };
  call->waits_for(std::move(give_up));
  LookedUp answer{lookup};
  co_await answer;
  call->waits_for(std::function<void()>());
  if (lookup->found.empty() || call->ended())
    co_return call->failure(Errc::unavailable, "the server's name has no address");
  co_return std::move(lookup->found);
}

// 0, or the errno of the attempt.
Task<Result<std::shared_ptr<Socket>>> connect_to(Loop& loop, std::shared_ptr<Call> call, Tcp::endpoint to,
                                                 base::Nanos limit) {
  base::Fd fd =
      base::Fd::adopt(::socket(to.data()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) co_return call->failure(Errc::unavailable, "no socket is left");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int begun = ::connect(fd.get(), to.data(), static_cast<socklen_t>(to.size()));
  int error = begun == 0 ? 0 : errno;
  Result<std::shared_ptr<Socket>> socket = Socket::adopt(loop, fd.release());
  if (!socket) co_return call->failure(Errc::unavailable, "the socket cannot be waited for");
  if (error == EINPROGRESS) {
    call->waits_for(*socket);
    bool timed_out = false;
    Deadline bound(loop, [socket = *socket, &timed_out] {
      timed_out = true;
      socket->interrupt(Socket::Way::write);
    });
    bound.set_after(limit);
    const bool ready = co_await (*socket)->writable();
    if (call->ended()) co_return call->failure(Errc::unavailable, "");
    if (!ready || timed_out) co_return call->failure(Errc::unavailable, "connecting took too long");
    socklen_t size = sizeof error;
    if (::getsockopt((*socket)->fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  }
  if (error == ECONNREFUSED) co_return call->failure(Errc::unavailable, "the connection was refused", true);
  if (error != 0) co_return call->failure(Errc::unavailable, "the server cannot be reached");
  co_return std::move(*socket);
}

}  // namespace

Task<Result<std::shared_ptr<Socket>>> dial(Loop& loop, std::shared_ptr<Call> call, std::string host, std::uint16_t port,
                                           base::Nanos limit) {
  const base::Nanos end = loop.clock().monotonic() + limit;
  Result<std::vector<Tcp::endpoint>> addresses = co_await resolve(loop, call, std::move(host), port);
  if (!addresses) co_return base::fail(std::move(addresses).error());
  Result<std::shared_ptr<Socket>> last = call->failure(Errc::unavailable, "the server's name has no address");
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const base::Nanos left = end - loop.clock().monotonic();
    last = co_await connect_to(loop, call, (*addresses)[i], left / static_cast<std::int64_t>(addresses->size() - i));
    if (last || call->ended()) break;
  }
  co_return last;
}

Task<Result<void>> secure(std::shared_ptr<Socket> socket, std::shared_ptr<Call> call, TlsClient& tls, std::string host,
                          base::Nanos limit) {
  std::unique_ptr<TlsSession> session = tls.connect(socket->fd(), host);
  if (!session) co_return call->failure(Errc::unavailable, "no memory for TLS");
  socket->set_tls(std::move(session));
  call->waits_for(socket);
  bool timed_out = false;
  Deadline bound(socket->loop(), [socket, &timed_out] {
    timed_out = true;
    socket->interrupt(Socket::Way::read);
    socket->interrupt(Socket::Way::write);
  });
  bound.set_after(limit);
  for (;;) {
    if (!socket->is_open()) co_return call->failure(Errc::unavailable, "the connection was closed");
    const TlsSession::Step step = socket->tls()->handshake();
    if (step == TlsSession::Step::done) co_return Result<void>{};
    if (step == TlsSession::Step::failed) {
      const bool denied = socket->tls()->peer_was_refused();
      std::string why = socket->tls()->why();
      if (denied) co_return call->failure(Errc::denied, "the server's certificate does not verify: " + why);
      co_return call->failure(Errc::unavailable, "the TLS handshake failed: " + why);
    }
    bool ready = false;
    if (step == TlsSession::Step::wants_read) {
      ready = co_await socket->readable();
    } else {
      ready = co_await socket->writable();
    }
    if (!ready || timed_out) co_return call->failure(Errc::unavailable, "the TLS handshake took too long");
  }
}

}  // namespace fusebox::http
