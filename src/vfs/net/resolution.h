// The addresses of a host: known at once for literals, looked up on somebody else's thread for names.
//
// Owner    who waits; a lookup under way as well.
// Threads  any. look_up(): one that may block.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

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
  Resolution(std::string host, std::uint16_t port) noexcept : host_(std::move(host)), port_(port) {}
  // Whether there is nothing to look up.
  bool finish_literal();
  // Whether it is still wanted; look_up() then follows.
  bool begin();
  void look_up();
  // Nobody wants it. False when it has begun: who asks for the same again may as well wait for it.
  bool abandon();
  // Nothing while it is under way; none found is an empty list.
  std::optional<std::vector<HostAddress>> result() const;
  WakeList done;

 private:
  enum class State : std::uint8_t { waiting, abandoned, begun };
  void finish(std::vector<HostAddress> addresses);
  const std::string host_;
  const std::uint16_t port_;
  mutable std::mutex mutex_;
  State state_ = State::waiting;                       // guarded by mutex_
  std::optional<std::vector<HostAddress>> addresses_;  // the same
};

}  // namespace fusebox::vfs
