// The buffers of one read or write as one run of bytes.
//
// Threads  pure functions.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "vfs/file.h"

namespace fusebox::vfs {

inline std::size_t size_of(ReadBuffers buffers) noexcept {
  std::size_t size = 0;
  for (const auto& buffer : buffers) size += buffer.size();
  return size;
}
inline std::size_t size_of(WriteBuffers buffers) noexcept {
  std::size_t size = 0;
  for (const auto& buffer : buffers) size += buffer.size();
  return size;
}

// Fills `to` from the start of `from`; how many bytes that were.
inline std::size_t scatter(std::span<const std::byte> from, ReadBuffers to) noexcept {
  std::size_t done = 0;
  for (const auto& buffer : to) {
    const std::size_t n = std::min(buffer.size(), from.size() - done);
    if (n != 0) std::memcpy(buffer.data(), from.data() + done, n);
    done += n;
  }
  return done;
}

// The first `bytes_max` bytes in one piece.
inline std::string gather(WriteBuffers from, std::size_t bytes_max = SIZE_MAX) {
  std::string all;
  all.reserve(std::min(size_of(from), bytes_max));
  for (const auto& buffer : from) {
    const std::size_t n = std::min(buffer.size(), bytes_max - all.size());
    all.append(reinterpret_cast<const char*>(buffer.data()), n);
  }
  return all;
}

// The first buffer that holds anything: what streams that may deliver less fill.
inline std::span<std::byte> first_of(ReadBuffers buffers) noexcept {
  for (const auto& buffer : buffers) {
    if (!buffer.empty()) return buffer;
  }
  return {};
}

}  // namespace fusebox::vfs
