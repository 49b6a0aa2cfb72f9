// Frames of fuse-attach/1 and fuse-exec/1: a type, three bytes that mean nothing, a length, a payload.
//
// A FrameReader is fed whatever a connection gives, parts of frames or several at once, and hands out whole ones. Unknown
// types are handed out too: who reads them ignores them.
//
// Threads  one thread at a time.
// Errors   `invalid`: a length above kFramePayloadMax. The stream is over: every later call says the same.
// Limits   a payload is at most 1 MiB; what is held is at most one frame and the piece last fed.
// Contract control-plane.md 5.5, 6.2
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::http {

inline constexpr std::size_t kFramePayloadMax = 1u << 20;  // contract
inline constexpr std::size_t kFrameHeadBytes = 8;

enum class FrameType : std::uint8_t { in = 0, out = 1, err = 2, resize = 3, exit = 4, end_of_input = 5, signal = 6 };

struct Frame {
  std::uint8_t type = 0;  // a FrameType, or one we do not know
  std::string payload;
  bool is(FrameType wanted) const noexcept { return type == static_cast<std::uint8_t>(wanted); }
  bool operator==(const Frame&) const = default;
};

// The eight bytes before a payload of `size` bytes; `size` is at most kFramePayloadMax.
std::array<char, kFrameHeadBytes> frame_head(FrameType type, std::size_t size) noexcept;
// Head and payload; what is longer than one frame may be becomes several.
std::string write_frames(FrameType type, std::string_view payload);

class FrameReader {
 public:
  void feed(std::string_view bytes);
  // The next whole frame; nothing while it has not arrived.
  base::Result<std::optional<Frame>> next();
  std::size_t held() const noexcept { return buffer_.size() - at_; }

 private:
  std::string buffer_;
  std::size_t at_ = 0;  // before it: already handed out
  bool broken_ = false;
};

// Payload of type 3: rows and columns in 1..65535; 0 = not given, or not positive. Nothing for what is no such object.
struct ResizePayload {
  std::uint16_t rows = 0, cols = 0;
};
std::optional<ResizePayload> read_resize(std::string_view payload);
std::string write_resize(ResizePayload size);

// Payload of type 4. `signal` and `timed_out` are Fusebox's own and left out when they say nothing.
struct ExitPayload {
  std::int32_t exit_code = 0;
  std::string signal;
  bool timed_out = false;
  bool operator==(const ExitPayload&) const = default;
};
std::optional<ExitPayload> read_exit(std::string_view payload);
std::string write_exit(const ExitPayload& exit);

// Payload of type 6: the name of a signal without "SIG"; nothing for what is no such object.
std::optional<std::string> read_signal(std::string_view payload);
std::string write_signal(std::string_view name);

}  // namespace fusebox::http
