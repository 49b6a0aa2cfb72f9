#include "http/wire.h"

#include <algorithm>

#include "http/limits.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

Wire::Wire(std::shared_ptr<Socket> socket)
    : socket_(std::move(socket)),
      read_bound_(socket_->loop(),
                  [this] {
                    expired_ = true;
                    if (socket_ != nullptr) socket_->interrupt(Socket::Way::read);
                  }),
      write_bound_(socket_->loop(), [this] {
        if (socket_ != nullptr) socket_->interrupt(Socket::Way::write);
      }) {}

void Wire::close() noexcept {
  if (socket_ != nullptr) socket_->close();
}

std::shared_ptr<Socket> Wire::release() noexcept {
  read_bound_.clear();
  write_bound_.clear();
  return std::move(socket_);
}

std::ptrdiff_t Wire::receive(std::span<char> into) noexcept {
  if (socket_ == nullptr) return Socket::kBroken;
  const std::ptrdiff_t got = socket_->receive(into);
  broke_ = got == Socket::kBroken;
  drained_ = socket_->tls() == nullptr && got < static_cast<std::ptrdiff_t>(into.size());
  return got;
}

Task<bool> Wire::fill(std::size_t bytes_max) {
  for (;;) {
    if (!drained_) {
      const std::ptrdiff_t got = receive(in.room(bytes_max));
      if (got > 0) in.add(static_cast<std::size_t>(got));
      if (got != Socket::kAgain) co_return got > 0;
    }
    if (!is_open()) co_return false;
    const bool ready = co_await socket_->readable();
    drained_ = false;
    broke_ = !ready;
    if (!ready || !is_open()) co_return false;
  }
}

bool Wire::push_out() noexcept {
  std::size_t sent = 0;
  std::ptrdiff_t went = 0;
  while (sent < out.size() && is_open()) {
    went = socket_->send(std::string_view(out).substr(sent));
    if (went < 0) break;
    sent += static_cast<std::size_t>(went);
  }
  out.erase(0, sent);
  return went != Socket::kBroken;
}

Task<Result<void>> Wire::send_all(std::string_view first, std::string_view second, std::string_view third,
                                  base::Nanos stall_limit) {
  std::string joined;
  // One TLS record instead of one for each piece.
  if (is_open() && socket_->tls() != nullptr && !(second.empty() && third.empty()) &&
      first.size() + second.size() + third.size() <= kCopiedBodyBytesMax) {
    joined.append(first).append(second).append(third);
    first = joined;
    second = third = {};
  }
  while (!(first.empty() && second.empty() && third.empty())) {
    if (!is_open()) co_return base::fail(Errc::unavailable, "the connection is closed");
    const std::ptrdiff_t sent = socket_->send(first, second, third);
    if (sent == Socket::kBroken) {
      close();
      co_return base::fail(Errc::unavailable, "the peer went away");
    }
    if (sent == Socket::kAgain) {
      write_bound_.set_after(std::min(stall_limit, longest_stall_));
      stalled_ = true;
      const bool ready = co_await socket_->writable();
      stalled_ = false;
      write_bound_.clear();
      if (!ready) {
        close();
        co_return base::fail(Errc::unavailable, "the peer took nothing for too long, or the connection was closed");
      }
      continue;
    }
    auto left = static_cast<std::size_t>(sent);
    for (std::string_view* const piece : {&first, &second, &third}) {
      const std::size_t part = std::min(left, piece->size());
      piece->remove_prefix(part);
      left -= part;
    }
  }
  co_return Result<void>{};
}

void Wire::limit_stalls(base::Nanos longest) {
  longest_stall_ = longest;
  if (stalled_) write_bound_.set_after(longest);
}

Task<Result<void>> Wire::flush(base::Nanos stall_limit, std::string_view behind) {
  const std::string sending = std::exchange(out, {});
  Result<void> sent = co_await send_all(sending, behind, "", stall_limit);
  co_return sent;
}

}  // namespace fusebox::http
