// One socket's connection, shared by everybody who has the socket open: dialled at the first use, dropped with the last
// handle, dialled again after an error of connecting.
//
// Owner    Files share it; the mount keeps the node's.
// Threads  any: locks itself.
// Contract containers.md 10.2, 15.2 rows 44-46
#pragma once

#include <memory>
#include <mutex>

#include "vfs/net/dialer.h"
#include "vfs/net/link.h"
#include "vfs/net/rate_limit.h"

namespace fusebox::vfs {

class Connection {
 public:
  // Dialled when it is used.
  Connection(std::unique_ptr<Dialer> dialer, std::shared_ptr<RateLimit> limit, bool datagrams);
  // Accepted: `link` still has its handshake to do.
  Connection(std::unique_ptr<Link> link, std::shared_ptr<RateLimit> limit, base::Nanos handshake_until);

  void opened();
  void closed();
  bool connected() const;

  Io<Received> read(Call& call, ReadBuffers to, bool peek);
  Io<std::size_t> write(Call& call, WriteBuffers from);
  Readiness poll(Call& call, bool for_writing);
  Io<void> shutdown(bool reading, bool writing);

 private:
  Io<Link*> link(Call& call);
  // How many bytes the container may move now; none: `call` waits until there are some.
  Io<std::size_t> allowance(Call& call, std::size_t wanted);
  static Errno answer(const Call& call, Errno error) noexcept {
    return error == Errno::would_block && call.nonblocking ? Errno::again : error;
  }

  const std::shared_ptr<RateLimit> limit_;
  const bool datagrams_;
  mutable std::mutex mutex_;
  // All below is guarded by mutex_.
  std::unique_ptr<Dialer> dialer_;  // null: accepted
  std::unique_ptr<Link> link_;
  bool shaken_ = false;
  base::Nanos handshake_until_{0};
  std::uint32_t handles_ = 0;
};

// The File of a connection. `node`: type, code and inode.
std::unique_ptr<File> make_socket_file(const Stat& node, FdFlags flags, std::shared_ptr<Connection> connection,
                                       bool serial);

}  // namespace fusebox::vfs
