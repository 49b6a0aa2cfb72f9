// The addresses of a host: known at once for literals, looked up on somebody else's thread for names.
//
// Owner    shared by who waits and by the work under way.
// Threads  any.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "vfs/net/socket_mount.h"
#include "vfs/wait.h"

namespace fusebox::vfs {

struct HostAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
};

// Of a literal IPv4 or IPv6 address.
std::optional<HostAddress> literal_address(const std::string& host, std::uint16_t port);

class Resolution {
 public:
  static std::shared_ptr<Resolution> start(const std::string& host, std::uint16_t port, const Offload& offload);
  // Nothing while it is under way; none found is an empty list. `seen` is for WaitSet::changed.
  std::optional<std::vector<HostAddress>> result() const;
  WakeList done;

 private:
  void finish(std::vector<HostAddress> addresses);
  mutable std::mutex mutex_;
  std::optional<std::vector<HostAddress>> addresses_;  // guarded by mutex_
};

}  // namespace fusebox::vfs
