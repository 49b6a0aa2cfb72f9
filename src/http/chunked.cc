#include "http/chunked.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "http/limits.h"

namespace fusebox::http {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A character that may stand in an extension or a trailer line.
bool is_text(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::decode(std::string_view arrived, std::span<char> into) noexcept {
  Step step;
  while (step.used < arrived.size() && !done() && !broken()) {
    if (state_ != State::data) {
      state_ = next(arrived[step.used++]);
      continue;
    }
    const std::size_t bytes = static_cast<std::size_t>(
        std::min<std::uint64_t>({left_, arrived.size() - step.used, into.size() - step.given}));
    if (bytes == 0) break;  // `into` is full
    std::memcpy(into.data() + step.given, arrived.data() + step.used, bytes);
    step.used += bytes;
    step.given += bytes;
    left_ -= bytes;
    if (left_ == 0) state_ = State::data_cr;
  }
  return step;
}

ChunkDecoder::State ChunkDecoder::after_size(char c) noexcept {
  if (digits_ == 0) return State::broken;
  if (c == '\r') return State::size_lf;
  if (c == ';') return State::extension;
  return State::broken;
}

ChunkDecoder::State ChunkDecoder::next(char c) noexcept {
  switch (state_) {
    case State::size: {
      const int digit = hex_value(c);
      if (digit < 0) return after_size(c);
      if (++digits_ > kChunkSizeDigitsMax) return State::broken;
      left_ = left_ << 4 | static_cast<unsigned>(digit);
      return State::size;
    }
    case State::extension:
      if (c == '\r') return State::size_lf;
      return is_text(c) && overhead(kChunkExtensionBytesMax) ? State::extension : State::broken;
    case State::size_lf:
      overhead_ = 0;
      digits_ = 0;
      if (c != '\n') return State::broken;
      return left_ == 0 ? State::trailer : State::data;
    case State::data_cr:
      return c == '\r' ? State::data_lf : State::broken;
    case State::data_lf:
      return c == '\n' ? State::size : State::broken;
    case State::trailer:
      if (c == '\r') return State::last_lf;
      [[fallthrough]];
    case State::trailer_line:
      if (c == '\r') return State::trailer_lf;
      return is_text(c) && overhead(kTrailerBytesMax) ? State::trailer_line : State::broken;
    case State::trailer_lf:
      return c == '\n' ? State::trailer : State::broken;
    case State::last_lf:
      return c == '\n' ? State::done : State::broken;
    case State::data:
    case State::done:
    case State::broken:
      break;
  }
  return state_;
}

ChunkHead::ChunkHead(std::uint64_t bytes) noexcept {
  char* const end = std::to_chars(text_.data(), text_.data() + 16, bytes, 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  size_ = static_cast<std::size_t>(end + 2 - text_.data());
}

}  // namespace fusebox::http
