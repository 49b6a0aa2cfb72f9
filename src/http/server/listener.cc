#include "http/server/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/files.h"
#include "base/freed.h"
#include "base/text.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;
using Addresses = std::unique_ptr<addrinfo, base::Freed<::freeaddrinfo>>;

struct Place {
  std::string host;  // "" = all interfaces
  std::string port;
};

Result<Place> parse(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  const char* const end = address.data() + address.size();
  const char* const digits = colon == std::string::npos ? end : address.data() + colon + 1;
  const auto [stop, error] = std::from_chars(digits, end, port);
  if (digits == end || error != std::errc() || stop != end) {
    return base::fail(Errc::invalid, "listen address " + base::in_quotes(address) + " is not host:port or :port");
  }
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return base::fail(Errc::invalid,
                      "listen address " + base::in_quotes(address) + ": an IPv6 address stands in brackets");
  }
  return Place{std::move(host), std::to_string(port)};
}

Result<base::Fd> listen_on(const addrinfo& where, const std::string& address) {
  const auto failed = [&] {
    const int saved = errno;
    base::Error error = base::errno_error("listen on " + address, saved);
    error.code = saved == EADDRINUSE ? Errc::unavailable : saved == EACCES ? Errc::denied : Errc::invalid;
    return base::fail(std::move(error));
  };
  base::Fd handle = base::Fd::adopt(::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (handle.get() < 0) return failed();
  const int on = 1, off = 0;
  ::setsockopt(handle.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections of a former run may linger
  if (where.ai_family == AF_INET6) ::setsockopt(handle.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(handle.get(), where.ai_addr, where.ai_addrlen) != 0) return failed();
  if (::listen(handle.get(), SOMAXCONN) != 0) return failed();
  return handle;
}

}  // namespace

Result<int> open_listener(const std::string& address) {
  FB_TRY(const Place place, parse(address));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(place.host.empty() ? nullptr : place.host.c_str(), place.port.c_str(), &hints, &list);
  if (error != 0)
    return base::fail(Errc::invalid, "listen address " + base::in_quotes(address) + ": " + ::gai_strerror(error));
  const Addresses addresses(list);
  // All interfaces: the IPv6 socket takes IPv4 as well, where the machine has IPv6.
  Result<base::Fd> opened = base::fail(Errc::invalid, "listen address " + base::in_quotes(address) + " has no address");
  for (const int family : {place.host.empty() ? AF_INET6 : AF_UNSPEC, place.host.empty() ? AF_INET : AF_UNSPEC}) {
    for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
      if (family != AF_UNSPEC && each->ai_family != family) continue;
      opened = listen_on(*each, address);
      if (opened) return opened->release();
      if (opened.error().code == Errc::unavailable || opened.error().code == Errc::denied)
        return base::fail(opened.error());
    }
  }
  return base::fail(opened.error());
}

std::uint16_t port_of(int listener) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(name).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);
}

Accepted accept_from(int listener) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  Accepted accepted;
  for (;;) {
    accepted.fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&name), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted.fd >= 0) break;
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    accepted.spent = errno != EAGAIN && errno != EWOULDBLOCK;
    return accepted;
  }
  const int on = 1;
  ::setsockopt(accepted.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    accepted.port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    ::inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? &v6.sin6_addr.s6_addr[12] : v6.sin6_addr.s6_addr, text.data(),
                text.size());
    accepted.port = ntohs(v6.sin6_port);
  }
  accepted.address = text.data();
  return accepted;
}

}  // namespace fusebox::http
