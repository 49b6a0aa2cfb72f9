#include "container/daemon/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace fusebox::container {
namespace {

using base::Errc;
using base::Fd;

constexpr int kBacklog = 16;

base::Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.size() >= sizeof address.sun_path)
    return base::fail(Errc::invalid, text + ": longer than the " + std::to_string(sizeof address.sun_path - 1) +
                                         " bytes a socket path may have; set FUSEBOX_SOCKET");
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

base::Result<Fd> new_socket() {
  Fd socket = Fd::adopt(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return base::fail(base::errno_error("socket", errno));
  return socket;
}

// Who the other end is, or was when it connected.
base::Result<void> check_peer(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return base::fail(base::errno_error("peer credentials", errno));
  if (peer.uid == ::geteuid() || peer.uid == 0) return {};
  return base::fail(Errc::denied, "the engine's socket belongs to user " + std::to_string(::geteuid()) + ", and user " +
                                      std::to_string(peer.uid) + " is at its other end");
}

base::Result<void> make_private_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return base::fail(Errc::io, folder.string() + ": " + failed.message());
  struct stat info{};
  if (::stat(folder.c_str(), &info) != 0) return base::fail(base::errno_error(folder.string(), errno));
  if (info.st_uid != ::geteuid())
    return base::fail(Errc::denied, folder.string() + ": belongs to another user; set FUSEBOX_SOCKET");
  if (::chmod(folder.c_str(), 0700) != 0) return base::fail(base::errno_error(folder.string(), errno));
  return {};
}

}  // namespace

base::Result<Channel> Channel::connect(const std::filesystem::path& path) {
  FB_TRY(const sockaddr_un address, address_of(path));
  FB_TRY(Fd socket, new_socket());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int saved = errno;
    base::Error error = base::errno_error(path.string(), saved);
    if (saved == ENOENT || saved == ECONNREFUSED) error.code = Errc::unavailable;
    return base::fail(std::move(error));
  }
  FB_CHECK(check_peer(socket.get()));
  return Channel(std::move(socket));
}

base::Result<void> Channel::send(std::string_view text, std::span<const int> fds) {
  if (text.size() > kMessageBytesMax || fds.size() > kMessageFdsMax)
    return base::fail(Errc::exhausted, "message of " + std::to_string(text.size()) + " bytes: at most " +
                                           std::to_string(kMessageBytesMax));
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMessageFdsMax * sizeof(int))> control{};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {};
  base::Error error = base::errno_error("send to the engine's socket", errno);
  if (errno == EPIPE || errno == ECONNRESET) error.code = Errc::unavailable;
  return base::fail(std::move(error));
}

base::Result<std::optional<Message>> Channel::receive() {
  Message received;
  received.text.resize(kMessageBytesMax);
  iovec part{received.text.data(), received.text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMessageFdsMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t bytes = 0;
  do {
    bytes = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) {
    base::Error error = base::errno_error("receive from the engine's socket", errno);
    if (errno == ECONNRESET) error.code = Errc::unavailable;
    return base::fail(std::move(error));
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      received.fds.push_back(Fd::adopt(fd));
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return base::fail(Errc::exhausted, "a message at the engine's socket is larger than allowed");
  if (bytes == 0) return std::nullopt;
  received.text.resize(static_cast<std::size_t>(bytes));
  return received;
}

void Channel::shut_down() noexcept {
  ::shutdown(socket_.get(), SHUT_RDWR);
}

base::Result<Listener> Listener::open(const std::filesystem::path& path) {
  FB_CHECK(make_private_folder(path.parent_path()));
  Fd lock = Fd::adopt(::open((path.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return base::fail(base::errno_error(path.string() + ".lock", errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return base::fail(Errc::exists, path.string() + ": another engine serves this socket");
  FB_TRY(const sockaddr_un address, address_of(path));
  FB_TRY(Fd socket, new_socket());
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail(base::errno_error(path.string(), errno));
  if (::chmod(path.c_str(), 0600) != 0) return base::fail(base::errno_error(path.string(), errno));
  if (::listen(socket.get(), kBacklog) != 0) return base::fail(base::errno_error("listen", errno));
  return Listener(std::move(socket), std::move(lock), path);
}

Listener::~Listener() {
  if (socket_) ::unlink(path_.c_str());
}

base::Result<std::optional<Channel>> Listener::accept(int stop) const {
  for (;;) {
    std::array<pollfd, 2> ready{{{socket_.get(), POLLIN, 0}, {stop, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR)
      return base::fail(base::errno_error("poll", errno));
    if (ready[1].revents != 0) return std::nullopt;
    if (ready[0].revents == 0) continue;
    Fd connection = Fd::adopt(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection || !check_peer(connection.get())) continue;
    return Channel(std::move(connection));
  }
}

std::filesystem::path default_socket_path() {
  if (const char* given = ::getenv("FUSEBOX_SOCKET"); given != nullptr && *given != '\0') return given;
  if (const char* runtime = ::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/')
    return std::filesystem::path(runtime) / "fusebox" / "engine.sock";
  return base::user_data_dir() / "run" / "engine.sock";
}

}  // namespace fusebox::container
