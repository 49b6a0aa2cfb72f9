// An established connection to the host's network: plain, TLS, DTLS or a serial line. Never blocks.
//
// Operations that cannot go on add to call.waits and answer would_block, also when call.nonblocking: the socket above
// turns that into `again`.
// Owner    owns its host descriptor.
// Threads  one at a time: its socket's lock.
#pragma once

#include <memory>

#include "base/files.h"
#include "vfs/file.h"

namespace fusebox::vfs {

class Link {
 public:
  virtual ~Link() = default;
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  virtual Io<void> handshake(Call&) { return {}; }
  virtual Io<Received> read(Call& call, ReadBuffers to, bool peek) = 0;
  virtual Io<std::size_t> write(Call& call, WriteBuffers from) = 0;
  virtual Readiness poll(Call& call, bool for_writing) = 0;
  virtual Io<void> shutdown(bool reading, bool writing) = 0;
};

std::unique_ptr<Link> make_stream_link(base::Fd fd);
// A connected datagram socket.
std::unique_ptr<Link> make_datagram_link(base::Fd fd);
// Opens and sets up the device (contract 10.2, row serial).
Io<std::unique_ptr<Link>> open_serial_link(const std::string& path);

// Whether the descriptor is ready now; if not, `call` waits for it.
bool host_ready(Call& call, int fd, short events);
// What poll_oneoff is told of a host descriptor.
Readiness poll_host(Call& call, int fd, bool for_writing);
// sendmsg and recvmsg that neither wait nor signal. Errors: would_block is left to the caller.
Io<std::size_t> send_now(int fd, WriteBuffers from);
Io<Received> receive_now(int fd, ReadBuffers to, bool peek);

}  // namespace fusebox::vfs
