// What the tests of servers and clients share: loops on threads of their own, a server, and a socket that says any bytes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "http/server/server.h"

namespace fusebox::http::test {

using namespace std::chrono_literals;

inline constexpr std::chrono::seconds kPatience{20};  // only for tests that fail

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    loop_.post([this] { loop_.stop(); });
    thread_.join();
  }
  Loop& loop() noexcept { return loop_; }

 private:
  base::RealClock clock_;
  Loop loop_{clock_};
  std::thread thread_;
};

// A TCP connection to 127.0.0.1 that blocks, with patience.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // One more piece of what the server says; "" = it ended, or said nothing for `patience`.
  std::string piece(std::chrono::milliseconds patience = kPatience) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) return {};
    char bytes[16384];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    ended_ = got <= 0;
    reset_ = got < 0;
    return got <= 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(got));
  }
  std::string until_closed() {
    std::string all;
    while (!ended_) {
      const std::string more = piece();
      if (more.empty()) break;
      all += more;
    }
    return all;
  }
  // Everything until `end` was said, or the server closed.
  std::string until(std::string_view end) {
    while (kept_.find(end) == std::string::npos && !ended_) {
      const std::string more = piece();
      if (more.empty()) break;
      kept_ += more;
    }
    const std::size_t at = std::min(kept_.find(end), kept_.size());
    const std::size_t size = std::min(at + end.size(), kept_.size());
    std::string all = kept_.substr(0, size);
    kept_.erase(0, size);
    return all;
  }
  // Some of what comes next; "" = the server closed.
  std::string at_most(std::size_t size) {
    if (kept_.empty()) kept_ = piece();
    std::string some = kept_.substr(0, size);
    kept_.erase(0, some.size());
    return some;
  }
  bool ended() const noexcept { return ended_; }
  bool reset() const noexcept { return reset_; }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void vanish() {
    const linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_ = base::Fd();
  }
  int fd() const noexcept { return fd_.get(); }

 private:
  base::Fd fd_;
  std::string kept_;
  bool ended_ = false;
  bool reset_ = false;
};

// A server on its own loop. The handler is a plain function object that returns a task; it lives as long as the server.
class Served {
 public:
  explicit Served(Handler handler, ServerOptions options = {}, std::size_t loops = 1) : loops_(loops) {
    if (options.listen == ":8080") options.listen = "127.0.0.1:0";
    std::vector<Loop*> all;
    for (auto& loop : loops_) all.push_back(&(loop = std::make_unique<LoopThread>())->loop());
    auto made = Server::listen(all, std::move(options), std::move(handler));
    if (!made) ADD_FAILURE() << made.error().message;
    server_ = std::move(*made);
  }
  Server& server() noexcept { return *server_; }
  std::uint16_t port() const noexcept { return server_->port(); }
  Loop& loop() noexcept { return loops_.front()->loop(); }
  // One connection, one exchange of bytes: what the server says until it closes.
  std::string talk(std::string_view bytes) {
    RawClient client(port());
    client.say(bytes);
    return client.until_closed();
  }
  void close() { server_.reset(); }

 private:
  std::vector<std::unique_ptr<LoopThread>> loops_;
  std::unique_ptr<Server> server_;
};

// Waits for what another thread brings about.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace fusebox::http::test
