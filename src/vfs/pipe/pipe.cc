#include "vfs/pipe/pipe.h"

#include <algorithm>
#include <cstring>

#include "vfs/text/buffers.h"

namespace fusebox::vfs {

void Pipe::put(std::span<const std::byte> piece) noexcept {
  if (piece.empty()) return;
  std::size_t end = head_ + size_;
  if (end >= bytes_) end -= bytes_;
  const std::size_t first = std::min(piece.size(), bytes_ - end);
  std::memcpy(ring_.get() + end, piece.data(), first);
  if (first < piece.size()) std::memcpy(ring_.get(), piece.data() + first, piece.size() - first);
  size_ += piece.size();
}

std::size_t Pipe::take(std::span<std::byte> into) noexcept {
  const std::size_t n = std::min(into.size(), size_);
  if (n == 0) return 0;
  const std::size_t first = std::min(n, bytes_ - head_);
  std::memcpy(into.data(), ring_.get() + head_, first);
  if (first < n) std::memcpy(into.data() + first, ring_.get(), n - first);
  head_ += n;
  if (head_ >= bytes_) head_ -= bytes_;
  size_ -= n;
  if (size_ == 0) head_ = 0;  // the next write is then one piece
  return n;
}

Io<std::size_t> Pipe::read(Call& call, ReadBuffers to) {
  std::size_t taken = 0;
  {
    const std::lock_guard lock(mutex_);
    if (size_ == 0) {
      if (at_end()) return 0;
      if (call.nonblocking) return fail(Errno::again);
      const base::Nanos until = call.since() + kPipeReadWait;
      if (call.clock.monotonic() >= until) return fail(Errno::again);
      wait_for(call, filled_);
      call.waits.until(until);
      return fail(Errno::would_block);
    }
    for (const auto& buffer : to) taken += take(buffer);
  }
  freed_.changed();
  return taken;
}

Io<std::size_t> Pipe::write(WriteBuffers from) {
  std::size_t done = 0;
  {
    const std::lock_guard lock(mutex_);
    if (size_ == bytes_) return fail(Errno::again);
    for (const auto& buffer : from) {
      const std::size_t n = std::min(buffer.size(), bytes_ - size_);
      put(buffer.first(n));
      done += n;
    }
  }
  filled_.changed();
  return done;
}

std::size_t Pipe::write_over(WriteBuffers from) {
  const std::size_t all = size_of(from);
  {
    const std::lock_guard lock(mutex_);
    for (auto buffer : from) {
      if (buffer.size() > bytes_) buffer = buffer.last(bytes_);
      const std::size_t drop = size_ + buffer.size() > bytes_ ? size_ + buffer.size() - bytes_ : 0;
      head_ = (head_ + drop) % bytes_;
      size_ -= drop;
      put(buffer);
    }
  }
  filled_.changed();
  return all;
}

Readiness Pipe::poll(Call& call, bool for_writing) {
  const std::lock_guard lock(mutex_);
  if (for_writing) {
    if (size_ == bytes_) wait_for(call, freed_);
    return {.ready = size_ < bytes_};
  }
  const bool ready = size_ != 0 || at_end();
  if (!ready) wait_for(call, filled_);
  return {.ready = ready, .hangup = at_end(), .bytes = size_};
}

void Pipe::attach(PipeEnd::Side side) noexcept {
  const std::lock_guard lock(mutex_);
  if (side == PipeEnd::Side::read) {
    ++readers_;
  } else {
    ++writers_;
    had_writer_ = true;
  }
}

bool Pipe::detach(PipeEnd::Side side) noexcept {
  bool last_writer = false;
  bool unwanted = false;
  {
    const std::lock_guard lock(mutex_);
    --(side == PipeEnd::Side::read ? readers_ : writers_);
    last_writer = side == PipeEnd::Side::write && writers_ == 0;
    unwanted = readers_ == 0 && writers_ == 0 && size_ == 0;
  }
  if (last_writer) filled_.changed();
  return unwanted;
}

}  // namespace fusebox::vfs
