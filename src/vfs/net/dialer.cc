#include "vfs/net/dialer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/beneath.h"

namespace fusebox::vfs {
namespace {

HostAddress unix_address(const std::string& path) noexcept {
  HostAddress address;
  auto* to = reinterpret_cast<sockaddr_un*>(&address.storage);
  to->sun_family = AF_UNIX;
  std::memcpy(to->sun_path, path.data(), std::min(path.size(), sizeof(to->sun_path) - 1));
  address.size = sizeof(*to);
  return address;
}

}  // namespace

Dialer::Dialer(DialTarget target, std::shared_ptr<Lookups> lookups, MakeTls make_tls,
               std::function<void(std::string_view)> report)
    : target_(std::move(target)),
      lookups_(std::move(lookups)),
      make_tls_(std::move(make_tls)),
      report_(std::move(report)) {}

Io<std::unique_ptr<Link>> Dialer::go_on(Call& call) {
  while (true) {
    Io<void> step;
    switch (step_) {
      case Step::idle:
        if (target_.address.kind == SocketKind::serial && target_.unix_path.empty()) {
          return open_serial_link(target_.address.host);
        }
        step = start(call);
        break;
      case Step::resolving:
        step = resolved(call);
        break;
      case Step::next_address:
        step = next_address(call);
        break;
      case Step::connecting:
        step = connected(call);
        break;
      case Step::handshaking:
        step = link_->handshake(call);
        if (step) {
          step_ = Step::idle;
          return std::move(link_);
        }
        if (step.error() == Errno::would_block && call.clock.monotonic() >= until_) step = fail(Errno::timedout);
        break;
    }
    if (step) continue;
    if (step.error() != Errno::would_block) {
      stop();
      return fail(step.error());
    }
    call.waits.until(step_ == Step::connecting ? address_until_ : until_);
    return fail(Errno::would_block);
  }
}

void Dialer::stop() noexcept {
  step_ = Step::idle;
  if (resolution_ && resolution_->abandon()) resolution_.reset();
  addresses_.clear();
  unix_place_ = {};
  fd_ = {};
  link_.reset();
}

Io<void> Dialer::start(Call& call) {
  if (make_tls_ && !tls_) {
    auto made = make_tls_();
    if (!made) {
      if (report_) report_(made.error().message);
      return fail(Errno::connrefused);
    }
    tls_ = std::move(*made);
  }
  until_ = call.clock.monotonic() + target_.time;
  at_ = 0;
  last_error_ = Errno::hostunreach;
  if (target_.unix_path.empty()) {
    if (!resolution_ || resolution_->result()) {  // what an earlier dial was told is old by now
      auto started = lookups_->start(target_.address.host, target_.address.port);
      if (!started) return fail(started.error());
      resolution_ = std::move(*started);
    }
    step_ = Step::resolving;
  } else {
    if (const auto found = find_unix(); !found) return fail(found.error());
    step_ = Step::next_address;
  }
  return {};
}

// A path that is confined is walked here: connect() knows no such walk, but it takes the handle of what was found.
Io<void> Dialer::find_unix() {
  std::string path = target_.unix_path;
  if (!target_.unix_beneath.empty()) {
    auto place = base::open_beneath(target_.unix_beneath, path, O_PATH | O_CLOEXEC);
    if (!place) {
      const bool system = place.error().what == base::BeneathFailure::system;
      return fail(system ? from_host(place.error().saved_errno) : Errno::notcapable);
    }
    unix_place_ = std::move(*place);
    path = "/proc/self/fd/" + std::to_string(unix_place_.get());
  }
  addresses_ = {unix_address(path)};
  return {};
}

Io<void> Dialer::resolved(Call& call) {
  const std::uint64_t seen = resolution_->done.version();
  auto addresses = resolution_->result();
  if (!addresses) {
    if (call.clock.monotonic() >= until_) return fail(Errno::timedout);
    call.waits.changed({resolution_, &resolution_->done}, seen);
    return fail(Errno::would_block);
  }
  addresses_ = std::move(*addresses);
  resolution_.reset();
  step_ = Step::next_address;
  if (target_.may_connect && !addresses_.empty() && !literal_address(target_.address.host, target_.address.port)) {
    // Those that are left are what is connected to: nothing is resolved a second time.
    std::erase_if(addresses_, [&](const HostAddress& one) { return !target_.may_connect(one); });
    if (addresses_.empty()) last_error_ = Errno::acces;
  }
  return {};
}

Io<void> Dialer::next_address(Call& call) {
  if (at_ == addresses_.size()) return fail(last_error_);
  const base::Nanos now = call.clock.monotonic();
  if (now >= until_) return fail(Errno::timedout);
  // What is left of the time is shared by the addresses that are left.
  address_until_ = now + (until_ - now) / static_cast<std::int64_t>(addresses_.size() - at_);
  const HostAddress& address = addresses_[at_++];
  const int type = target_.address.datagram() ? SOCK_DGRAM : SOCK_STREAM;
  fd_ = base::Fd::adopt(::socket(address.family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_) {
    last_error_ = from_host(errno);
    return {};
  }
  if (::connect(fd_.get(), address.get(), address.size) == 0) return established();
  if (errno == EINPROGRESS) {
    step_ = Step::connecting;
    return {};
  }
  // A unix socket whose queue is full says so at once.
  last_error_ = errno == EAGAIN ? Errno::connrefused : from_host(errno);
  return {};
}

Io<void> Dialer::connected(Call& call) {
  if (!host_ready(call, fd_.get(), POLLOUT)) {
    if (call.clock.monotonic() < address_until_) return fail(Errno::would_block);
    call.waits.clear();
    last_error_ = Errno::timedout;
    step_ = Step::next_address;
    return {};
  }
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) return established();
  last_error_ = from_host(error);
  step_ = Step::next_address;
  return {};
}

Io<void> Dialer::established() {
  step_ = Step::handshaking;
  const bool datagrams = target_.address.datagram();
  if (!datagrams) {  // programs that write a message at a time want it sent
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (!tls_) {
    link_ = datagrams ? make_datagram_link(std::move(fd_)) : make_stream_link(std::move(fd_));
  } else {
    link_ = tls_->make_link(std::move(fd_), target_.address.host, report_);
    if (!link_) return fail(Errno::nomem);
  }
  return {};
}

}  // namespace fusebox::vfs
