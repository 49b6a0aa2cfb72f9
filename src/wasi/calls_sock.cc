// Sockets: what streams that are not sockets answer NOTSOCK to.
#include "wasi/calls.h"
#include "wasi/opened.h"
#include "wasi/vectors.h"

namespace fusebox::wasi::calls {
namespace {

namespace right = vfs::right;
using vfs::FileType;

constexpr u32 kPeek = 1;
constexpr u32 kWaitAll = 2;
constexpr u32 kReceiveFlagsEnd = 4;
constexpr std::uint16_t kTruncated = 1;
constexpr u32 kReading = 1;
constexpr u32 kWriting = 2;

bool is_socket(const vfs::File& file) noexcept {
  return file.type() == FileType::socket_stream || file.type() == FileType::socket_datagram;
}

}  // namespace

Errno sock_accept(Caller& caller, u32 fd, u32 flags, u32 out) {
  const Opened open = opened(caller, fd, right::sock_accept);
  if (open.failed()) return open.error;
  if (!caller.memory.has(out, sizeof(u32))) return Errno::fault;
  if ((flags & ~static_cast<u32>(vfs::FdFlag::nonblock)) != 0) return Errno::inval;
  if (caller.fds().full()) return Errno::mfile;
  auto made = open.file().accept(caller.call_on(open.file()), static_cast<vfs::FdFlags>(flags));
  if (!made) return made.error();
  vfs::Descriptor descriptor;
  descriptor.file = std::move(*made);
  descriptor.base = open->inheriting;
  descriptor.inheriting = open->inheriting;
  descriptor.writable = true;
  const auto number = caller.fds().add(std::move(descriptor));
  if (!number) return number.error();
  caller.memory.store(out, *number);
  return Errno::success;
}

Errno sock_recv(Caller& caller, u32 fd, u32 vectors, u32 count, u32 flags, u32 out, u32 out_flags) {
  const Opened open = opened(caller, fd, right::fd_read);
  if (open.failed()) return open.error;
  if (is_socket(open.file()) && !open->readable) return Errno::badf;
  if (!caller.memory.has(out, sizeof(u32)) || !caller.memory.has(out_flags, sizeof(std::uint16_t))) return Errno::fault;
  Vectors<std::byte> to;
  if (const Errno error = to.read(caller.memory, vectors, count); error != Errno::success) return error;
  if (flags >= kReceiveFlagsEnd) return Errno::inval;
  vfs::Received received;
  if (to.bytes() != 0 || !is_socket(open.file())) {
    const auto done = open.file().receive(caller.call_on(open.file()), to.list(),
                                          {.peek = (flags & kPeek) != 0, .wait_all = (flags & kWaitAll) != 0});
    if (!done) return done.error();
    received = *done;
  }
  caller.memory.store(out, static_cast<u32>(received.bytes));
  caller.memory.store(out_flags, received.truncated ? kTruncated : std::uint16_t{0});
  return Errno::success;
}

Errno sock_send(Caller& caller, u32 fd, u32 vectors, u32 count, u32 flags, u32 out) {
  const Opened open = opened(caller, fd, right::fd_write);
  if (open.failed()) return open.error;
  if (is_socket(open.file()) && !open->writable) return Errno::badf;
  if (!caller.memory.has(out, sizeof(u32))) return Errno::fault;
  Vectors<const std::byte> from;
  if (const Errno error = from.read(caller.memory, vectors, count); error != Errno::success) return error;
  if (flags != 0) return Errno::inval;
  std::size_t sent = 0;
  if (from.bytes() != 0 || !is_socket(open.file())) {
    const auto done = open.file().send(caller.call_on(open.file()), from.list());
    if (!done) return done.error();
    sent = *done;
  }
  caller.memory.store(out, static_cast<u32>(sent));
  return Errno::success;
}

Errno sock_shutdown(Caller& caller, u32 fd, u32 how) {
  const Opened open = opened(caller, fd, right::sock_shutdown);
  if (open.failed()) return open.error;
  if (how == 0 || how > (kReading | kWriting)) return Errno::inval;
  return error_of(open.file().shutdown(caller.call_on(open.file()), (how & kReading) != 0, (how & kWriting) != 0));
}

}  // namespace fusebox::wasi::calls
