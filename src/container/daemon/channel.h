// Messages between the `fusebox` command and its background engine: one JSON object each, descriptors beside it.
//
// A Unix socket that keeps message boundaries. The listening socket lies in a folder only its user can enter; both ends
// check who the other is before the first message.
//
// Owner    a Channel owns its socket; received descriptors belong to the Message.
// Threads  send(): any, each message goes as a whole. receive(): one at a time, also while others send.
// Errors   `unavailable`: nobody listens, or the other end is gone. `denied`: it is another user. `exhausted`: a message
//          larger than kMessageBytesMax. `io` otherwise.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace fusebox::container {

inline constexpr std::size_t kMessageBytesMax = 128u << 10;  // below the kernel's default send buffer
inline constexpr std::size_t kMessageFdsMax = 4;             // standard streams and one more

struct Message {
  std::string text;
  std::vector<base::Fd> fds;
};

class Channel {
 public:
  explicit Channel(base::Fd socket) noexcept : socket_(std::move(socket)) {}
  static base::Result<Channel> connect(const std::filesystem::path& path);

  base::Result<void> send(std::string_view text, std::span<const int> fds = {});
  // Nothing when the other end closed in order.
  base::Result<std::optional<Message>> receive();
  // Ends both directions: a thread that waits in receive() returns.
  void shut_down() noexcept;
  int fd() const noexcept { return socket_.get(); }  // for poll

 private:
  base::Fd socket_;
};

class Listener {
 public:
  // Takes the place of a socket nobody listens on; `exists` when somebody does.
  static base::Result<Listener> open(const std::filesystem::path& path);
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();
  // Waits for a connection of this user (or root); nothing when `stop` became readable. Others are turned away.
  base::Result<std::optional<Channel>> accept(int stop) const;

 private:
  Listener(base::Fd socket, base::Fd lock, std::filesystem::path path) noexcept
      : socket_(std::move(socket)), lock_(std::move(lock)), path_(std::move(path)) {}
  base::Fd socket_;
  base::Fd lock_;  // held as long as this process serves the socket
  std::filesystem::path path_;
};

// $XDG_RUNTIME_DIR/fusebox/engine.sock, else <data dir>/run/engine.sock; $FUSEBOX_SOCKET wins.
std::filesystem::path default_socket_path();

}  // namespace fusebox::container
