// The chunked coding: taken apart as it arrives, and put around what is sent.
//
// Strict where readers are known to disagree: sizes are plain hexadecimal digits, every line ends in CRLF, extensions
// and trailers are bounded and thrown away.
//
// Threads  plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fusebox::http {

class ChunkDecoder {
 public:
  struct Step {
    std::size_t used = 0;   // of the bytes that arrived
    std::size_t given = 0;  // data written to `into`
  };
  // Takes what it can. Nothing more is used after done() or broken().
  Step decode(std::string_view arrived, std::span<char> into) noexcept;
  bool done() const noexcept { return state_ == State::done; }
  bool broken() const noexcept { return state_ == State::broken; }

 private:
  enum class State : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_line,
    trailer_lf,
    last_lf,
    done,
    broken
  };
  State next(char c) noexcept;
  State after_size(char c) noexcept;
  bool overhead(std::size_t bound) noexcept { return ++overhead_ <= bound; }

  State state_ = State::size;
  std::uint8_t digits_ = 0;
  std::uint32_t overhead_ = 0;  // bytes of this chunk's extension, or of the trailers
  std::uint64_t left_ = 0;      // of the present chunk
};

// "1a2b\r\n": the line before a chunk of that size.
class ChunkHead {
 public:
  explicit ChunkHead(std::uint64_t bytes) noexcept;
  std::string_view text() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 18> text_;
  std::size_t size_ = 0;
};

}  // namespace fusebox::http
