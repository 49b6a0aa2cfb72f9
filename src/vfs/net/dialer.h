// Makes one connection: addresses of the name, connecting to each in turn, the TLS handshake, all within one time.
//
// go_on() is asked until it answers something else than would_block; it then starts anew.
// Threads  one at a time: its socket's lock.
// Errors   connrefused: refused, or TLS does not trust the peer; hostunreach: no such name; timedout; again: too many
//          lookups wait; otherwise the host's error of the last address.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/net/link.h"
#include "vfs/net/lookups.h"
#include "vfs/net/resolution.h"
#include "vfs/net/socket_address.h"
#include "vfs/net/tls.h"

namespace fusebox::vfs {

struct DialTarget {
  SocketAddress address;
  std::string unix_path;                                  // instead of `address`, when not empty
  std::string unix_beneath{};                             // a folder no link may lead the path out of; "" = it may
  base::Nanos time{0};                                    // for everything
  std::function<bool(const HostAddress&)> may_connect{};  // of resolved names; null = any
};

class Dialer {
 public:
  // Makes the TLS context at the first dial; null for plain targets.
  using MakeTls = std::function<base::Result<std::shared_ptr<TlsContext>>()>;
  Dialer(DialTarget target, std::shared_ptr<Lookups> lookups, MakeTls make_tls,
         std::function<void(std::string_view)> report);

  Io<std::unique_ptr<Link>> go_on(Call& call);
  // Forgets what is under way, but for a lookup that has begun: the next dial waits for that one.
  void stop() noexcept;
  bool datagrams() const noexcept { return target_.unix_path.empty() && target_.address.datagram(); }

 private:
  enum class Step : std::uint8_t { idle, resolving, next_address, connecting, handshaking };
  Io<void> start(Call& call);
  Io<void> find_unix();
  Io<void> resolved(Call& call);
  Io<void> next_address(Call& call);
  Io<void> connected(Call& call);
  Io<void> established();

  DialTarget target_;
  std::shared_ptr<Lookups> lookups_;
  MakeTls make_tls_;
  std::function<void(std::string_view)> report_;

  std::shared_ptr<TlsContext> tls_;
  Step step_ = Step::idle;
  base::Nanos until_{0};
  base::Nanos address_until_{0};
  std::shared_ptr<Resolution> resolution_;
  std::vector<HostAddress> addresses_;
  std::size_t at_ = 0;  // the next address
  Errno last_error_ = Errno::hostunreach;
  base::Fd unix_place_;  // O_PATH, with unix_beneath
  base::Fd fd_;
  std::unique_ptr<Link> link_;
};

}  // namespace fusebox::vfs
