#include "vfs/net/connection.h"

#include "vfs/device/device_file.h"
#include "vfs/net/limits.h"
#include "vfs/text/buffers.h"

namespace fusebox::vfs {
namespace {

// The first `bytes` of a call's buffers.
template <class Buffer>
std::vector<Buffer> cut(std::span<const Buffer> buffers, std::size_t bytes) {
  std::vector<Buffer> kept;
  for (const Buffer& buffer : buffers) {
    if (bytes == 0) break;
    kept.push_back(buffer.first(std::min(buffer.size(), bytes)));
    bytes -= kept.back().size();
  }
  return kept;
}
// What is left of them after the first `bytes`.
std::vector<std::span<std::byte>> after(ReadBuffers buffers, std::size_t bytes) {
  std::vector<std::span<std::byte>> left;
  for (const auto& buffer : buffers) {
    const std::size_t skip = std::min(buffer.size(), bytes);
    bytes -= skip;
    if (skip < buffer.size()) left.push_back(buffer.subspan(skip));
  }
  return left;
}

class SocketFile final : public DeviceFile {
 public:
  SocketFile(const Stat& node, FdFlags flags, std::shared_ptr<Connection> connection, bool serial)
      : DeviceFile(node, flags), connection_(std::move(connection)), serial_(serial) {
    connection_->opened();
  }
  ~SocketFile() override { connection_->closed(); }

  Io<Stat> stat() override {
    Stat node = node_;
    node.size = connection_->connected() ? 1 : 0;
    return node;
  }
  Io<std::size_t> read(Call& call, ReadBuffers to) override {
    const auto received = connection_->read(call, to, false);
    if (!received) return fail(received.error());
    return received->bytes;
  }
  Io<std::size_t> write(Call& call, WriteBuffers from) override { return connection_->write(call, from); }
  Readiness poll(Call& call, bool for_writing) override { return connection_->poll(call, for_writing); }

  Io<std::unique_ptr<File>> accept(Call&, FdFlags) override { return fail(serial_ ? Errno::notsup : Errno::inval); }
  Io<std::size_t> send(Call& call, WriteBuffers from) override { return connection_->write(call, from); }
  Io<Received> receive(Call& call, ReadBuffers to, RecvFlags flags) override {
    const bool stream = node_.type != FileType::socket_datagram;
    if (!flags.wait_all || flags.peek || !stream) return connection_->read(call, to, flags.peek);
    return receive_all(call, to);
  }
  Io<void> shutdown(Call&, bool reading, bool writing) override {
    if (serial_) return {};
    return connection_->shutdown(reading, writing);
  }

 private:
  // A call that waits is asked again with the buffers it has partly filled.
  Io<Received> receive_all(Call& call, ReadBuffers to) {
    if (call.first_asked.count() == 0) filled_ = 0;
    call.since();
    const std::size_t all = size_of(to);
    while (filled_ < all) {
      const auto rest = after(to, filled_);
      const auto received = connection_->read(call, rest, false);
      if (!received) {
        if (received.error() == Errno::would_block || filled_ == 0) return received;
        break;
      }
      if (received->bytes == 0) break;
      filled_ += received->bytes;
    }
    return Received{.bytes = std::exchange(filled_, 0)};
  }

  std::shared_ptr<Connection> connection_;
  const bool serial_;
  std::size_t filled_ = 0;
};

}  // namespace

Connection::Connection(std::unique_ptr<Dialer> dialer, std::shared_ptr<RateLimit> limit, bool datagrams)
    : limit_(std::move(limit)), datagrams_(datagrams), dialer_(std::move(dialer)) {}
Connection::Connection(std::unique_ptr<Link> link, std::shared_ptr<RateLimit> limit, base::Nanos handshake_until)
    : limit_(std::move(limit)), datagrams_(false), link_(std::move(link)), handshake_until_(handshake_until) {}

void Connection::opened() {
  const std::lock_guard lock(mutex_);
  ++handles_;
}

void Connection::closed() {
  const std::lock_guard lock(mutex_);
  if (--handles_ != 0) return;
  link_.reset();
  shaken_ = false;
  if (dialer_) dialer_->stop();
}

bool Connection::connected() const {
  const std::lock_guard lock(mutex_);
  return link_ != nullptr && shaken_;
}

Io<Link*> Connection::link(Call& call) {
  if (shaken_) return link_.get();
  if (dialer_) {
    auto dialled = dialer_->go_on(call);
    if (!dialled) return fail(dialled.error());
    link_ = std::move(*dialled);
  } else if (!link_) {
    return fail(Errno::connrefused);  // its handshake has failed
  } else if (const auto done = link_->handshake(call); !done) {
    const bool waits = done.error() == Errno::would_block;
    if (waits && call.clock.monotonic() < handshake_until_) {
      call.waits.until(handshake_until_);
      return fail(Errno::would_block);
    }
    link_.reset();
    return fail(waits ? Errno::timedout : done.error());
  }
  shaken_ = true;
  return link_.get();
}

Io<std::size_t> Connection::allowance(Call& call, std::size_t wanted) {
  const std::size_t allowed = limit_->allowance(wanted);
  if (allowed != 0) return allowed;
  call.waits.until(limit_->next());
  return fail(Errno::would_block);
}

Io<Received> Connection::read(Call& call, ReadBuffers to, bool peek) {
  const std::lock_guard lock(mutex_);
  const auto with = link(call);
  if (!with) return fail(answer(call, with.error()));
  const std::size_t wanted = size_of(to);
  const auto allowed = allowance(call, wanted);
  if (!allowed) return fail(answer(call, allowed.error()));
  const auto received =
      *allowed < wanted && !datagrams_ ? (*with)->read(call, cut(to, *allowed), peek) : (*with)->read(call, to, peek);
  if (!received) return fail(answer(call, received.error()));
  if (!peek) limit_->spend(received->bytes);
  return received;
}

Io<std::size_t> Connection::write(Call& call, WriteBuffers from) {
  const std::lock_guard lock(mutex_);
  const auto with = link(call);
  if (!with) return fail(answer(call, with.error()));
  const std::size_t wanted = size_of(from);
  const auto allowed = allowance(call, wanted);
  if (!allowed) return fail(answer(call, allowed.error()));
  const auto sent =
      *allowed < wanted && !datagrams_ ? (*with)->write(call, cut(from, *allowed)) : (*with)->write(call, from);
  if (!sent) return fail(answer(call, sent.error()));
  limit_->spend(*sent);
  return sent;
}

Readiness Connection::poll(Call& call, bool for_writing) {
  const std::lock_guard lock(mutex_);
  const auto with = link(call);
  if (!with)
    return {.ready = with.error() != Errno::would_block,
            .error = with.error() == Errno::would_block ? Errno::success : with.error()};
  if (!allowance(call, 1)) return {};
  return (*with)->poll(call, for_writing);
}

Io<void> Connection::shutdown(bool reading, bool writing) {
  const std::lock_guard lock(mutex_);
  if (!shaken_) return fail(Errno::notconn);
  return link_->shutdown(reading, writing);
}

std::unique_ptr<File> make_socket_file(const Stat& node, FdFlags flags, std::shared_ptr<Connection> connection,
                                       bool serial) {
  return std::make_unique<SocketFile>(node, flags, std::move(connection), serial);
}

}  // namespace fusebox::vfs
