// A connected stream socket on a loop, plain or TLS: calls that never block, and waiting for when they would work.
//
//   for (;;) {
//     const std::ptrdiff_t got = socket->receive(into);
//     if (got != Socket::kAgain) break;
//     const bool ready = co_await socket->readable();
//     if (!ready) break;   // interrupted or closed
//   }
//
// Owner    shared: a wait under way holds the socket. close() ends every wait; the last owner gone closes too.
// Threads  the loop's. One waits for reading while another waits for writing; never two of the same.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "http/loop.h"

namespace fusebox::http {

class TlsSession;

class Socket : public std::enable_shared_from_this<Socket> {
 public:
  static constexpr std::ptrdiff_t kAgain = -1;   // would block: wait
  static constexpr std::ptrdiff_t kBroken = -2;  // reset, closed, broken TLS
  enum class Way : std::uint8_t { read, write };

  static base::Result<std::shared_ptr<Socket>> adopt(Loop& loop, int fd);  // takes it; sets it non-blocking
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  std::ptrdiff_t receive(std::span<char> into) noexcept;  // 0 = the peer sends nothing more
  // The pieces behind each other; how many bytes went. Never raises SIGPIPE.
  std::ptrdiff_t send(std::string_view first, std::string_view second = {}, std::string_view third = {}) noexcept;
  // Bytes that were received and not yet given out: waiting for the socket would not see them.
  bool holds_received() const noexcept;

  class Waiting;
  Waiting readable() noexcept;
  Waiting writable() noexcept;
  // As readable(), but calls `call(context, ok)` once. A later wait for the same way takes its place.
  void when_readable(void (*call)(void* context, bool ok), void* context);
  void forget_readable() noexcept;

  void interrupt(Way way);  // the wait under way, if any, ends with false, here and now
  void close() noexcept;
  void shut_down_sending() noexcept;
  bool is_open() const noexcept;
  int fd() const noexcept;
  Loop& loop() noexcept { return loop_; }

  void set_tls(std::unique_ptr<TlsSession> tls) noexcept;
  TlsSession* tls() noexcept { return tls_.get(); }
  // Released when the socket closes: how its owner counts it.
  void attach(std::shared_ptr<void> ticket) noexcept { ticket_ = std::move(ticket); }

 private:
  struct Impl;
  struct Slot {
    void (*call)(void*, bool) = nullptr;
    void* context = nullptr;
    bool armed = false;
  };
  Socket(Loop& loop, std::unique_ptr<Impl> impl) noexcept;
  void wait(Way way, void (*call)(void*, bool), void* context);
  void forget(Way way, const void* context) noexcept;
  void ready(Way way, bool ok);
  Slot& slot(Way way) noexcept { return way == Way::read ? reading_ : writing_; }

  Loop& loop_;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<TlsSession> tls_;
  std::shared_ptr<void> ticket_;
  Slot reading_, writing_;
};

class [[nodiscard]] Socket::Waiting {
 public:
  Waiting(Socket& socket, Way way) noexcept : socket_(socket.shared_from_this()), way_(way) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (waiter_) socket_->forget(way_, this);  // the waiting coroutine is being destroyed
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    socket_->wait(
        way_,
        [](void* self, bool ok) {
          auto& waiting = *static_cast<Waiting*>(self);
          waiting.ok_ = ok;
          std::exchange(waiting.waiter_, {}).resume();
        },
        this);
  }
  bool await_resume() const noexcept { return ok_; }

 private:
  std::shared_ptr<Socket> socket_;
  Way way_;
  bool ok_ = false;
  std::coroutine_handle<> waiter_;
};

inline Socket::Waiting Socket::readable() noexcept {
  return {*this, Way::read};
}
inline Socket::Waiting Socket::writable() noexcept {
  return {*this, Way::write};
}

}  // namespace fusebox::http
