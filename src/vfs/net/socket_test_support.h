// What tests of sockets share: the host's side of the loopback, and operations that are asked until they end.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/files.h"
#include "vfs/net/lookups.h"
#include "vfs/net/socket_mount.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs::testing {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A bound socket of the host's on the loopback.
struct HostSocket {
  base::Fd fd;
  std::uint16_t port = 0;
  explicit HostSocket(int type, bool listens = true) {
    fd = base::Fd::adopt(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    if (type == SOCK_STREAM && listens) {
      EXPECT_EQ(::listen(fd.get(), 16), 0);
    }
    socklen_t size = sizeof(address);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
  base::Fd accept() const { return base::Fd::adopt(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  std::string address(std::string_view scheme, std::string_view host = "127.0.0.1") const {
    return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(port);
  }
};
// A port nobody listens on.
inline std::uint16_t free_port(int type = SOCK_STREAM) {
  return HostSocket(type, false).port;
}

inline void put(const base::Fd& fd, std::string_view text) {
  EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}
inline std::string get(const base::Fd& fd, std::size_t size = 65536, int flags = 0) {
  std::string text(size, '\0');
  const ssize_t n = ::recv(fd.get(), text.data(), size, flags);
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return text;
}

inline std::string get_exactly(const base::Fd& fd, std::size_t size) {
  return get(fd, size, MSG_WAITALL);
}

// As the scheduler does: sleeps until one of the host descriptors is ready. False: nothing happened for long.
inline bool wait_for_host(const WaitSet& waits, int most_ms = 10'000) {
  std::vector<pollfd> asked;
  for (const auto& ready : waits.ready()) asked.push_back({.fd = ready.host_fd, .events = ready.events, .revents = 0});
  return !asked.empty() && ::poll(asked.data(), asked.size(), most_ms) > 0;
}

// Asks until the answer is not would_block.
template <class Op>
auto settle(Guest& guest, Op op) {
  auto result = op(guest.fresh());
  while (!result && result.error() == Errno::would_block) {
    EXPECT_TRUE(guest.waits_for_something());
    if (!wait_for_host(guest.waits)) {
      ADD_FAILURE() << "waits for nothing that comes";
      return result;
    }
    result = op(guest.again());
  }
  return result;
}
inline Io<std::size_t> write_settled(Guest& guest, File& file, std::string_view text) {
  const std::span<const std::byte> one[] = {base::as_bytes(text)};
  return settle(guest, [&](Call& call) { return file.write(call, one); });
}
inline Io<std::string> read_settled(Guest& guest, File& file, std::size_t size = 65536) {
  std::string text(size, '\0');
  const std::span<std::byte> one[] = {std::as_writable_bytes(std::span(text))};
  const auto n = settle(guest, [&](Call& call) { return file.read(call, one); });
  if (!n) return fail(n.error());
  text.resize(*n);
  return text;
}
// Reads until `size` bytes or the end have come.
inline Io<std::string> read_whole(Guest& guest, File& file, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    const auto piece = read_settled(guest, file, size - all.size());
    if (!piece) return fail(piece.error());
    if (piece->empty()) break;
    all += *piece;
  }
  return all;
}
inline Readiness poll_settled(Guest& guest, File& file, bool for_writing) {
  Readiness readiness = file.poll(guest.fresh(), for_writing);
  while (!readiness.ready) {
    EXPECT_TRUE(guest.waits_for_something());
    if (!wait_for_host(guest.waits)) {
      ADD_FAILURE() << "waits for nothing that comes";
      break;
    }
    readiness = file.poll(guest.again(), for_writing);
  }
  return readiness;
}

// One socket configured in a /net of its own.
struct OneSocket {
  Guest guest;
  std::vector<std::string> reports;
  std::vector<std::unique_ptr<std::function<void()>>> offloaded;
  std::shared_ptr<Mount> mount;

  explicit OneSocket(const std::string& address, TlsOptions tls = {}, std::uint64_t bytes_per_s = 0,
                     bool offload = false) {
    NetOptions options{
        .lookups = {}, .clock = &guest.clock, .bytes_per_s = bytes_per_s, .report = [this](std::string_view line) {
          reports.emplace_back(line);
        }};
    if (offload)
      options.lookups = std::make_shared<Lookups>([this](auto work) { offloaded.push_back(std::move(work)); });
    auto parsed = parse_socket_address(address);
    EXPECT_TRUE(parsed) << address;
    auto made = make_socket_mount(make_net(std::move(options)), {{"s", *parsed, std::move(tls)}});
    EXPECT_TRUE(made) << made.error().message;
    if (made) mount = *made;
  }
  std::unique_ptr<File> open(FdFlags flags = 0) {
    auto file = guest.open(*mount, "s", {.read = true, .write = true, .flags = flags});
    EXPECT_TRUE(file);
    return std::move(*file);
  }
};

}  // namespace fusebox::vfs::testing
