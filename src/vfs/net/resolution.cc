#include "vfs/net/resolution.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

#include "base/freed.h"
#include "vfs/net/limits.h"

namespace fusebox::vfs {
namespace {

void set_port(HostAddress& address, std::uint16_t port) noexcept {
  if (address.family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
  }
}

std::vector<HostAddress> addresses_of(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // of each address one
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, base::Freed<::freeaddrinfo>> owner(found);
  std::vector<HostAddress> addresses;
  for (const addrinfo* at = found; at != nullptr && addresses.size() < kAddressesMax; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    HostAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    set_port(address, port);
    addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

std::optional<HostAddress> literal_address(const std::string& host, std::uint16_t port) {
  HostAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address.size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    address.size = sizeof(*v6);
  } else {
    return std::nullopt;
  }
  set_port(address, port);
  return address;
}

bool Resolution::finish_literal() {
  const auto literal = literal_address(host_, port_);
  if (literal) finish({*literal});
  return literal.has_value();
}

bool Resolution::begin() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::waiting) return false;
  state_ = State::begun;
  return true;
}

void Resolution::look_up() {
  finish(addresses_of(host_, port_));
}

bool Resolution::abandon() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::waiting) state_ = State::abandoned;
  return state_ == State::abandoned;
}

void Resolution::finish(std::vector<HostAddress> addresses) {
  {
    const std::lock_guard lock(mutex_);
    addresses_ = std::move(addresses);
  }
  done.changed();
}

std::optional<std::vector<HostAddress>> Resolution::result() const {
  const std::lock_guard lock(mutex_);
  return addresses_;
}

}  // namespace fusebox::vfs
