// The body of one reply as it arrives: by length, by chunks, or until the server closes.
//
// Internal to src/http/async.
// Threads  the loop's.
// Errors   `unavailable`: cut short or malformed; the call's own end as Call says.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "http/async/call.h"
#include "http/chunked.h"
#include "http/message_head.h"
#include "http/wire.h"

namespace fusebox::http {

class ReplyBody {
 public:
  ReplyBody(Wire& wire, std::shared_ptr<Call> call) noexcept : wire_(wire), call_(std::move(call)) {}
  void begin(const ResponseHead& head, bool to_head_request) noexcept;
  base::Task<base::Result<std::size_t>> read_some(std::span<char> into);  // 0 = the end
  bool done() const noexcept { return done_; }
  bool ends_with_connection() const noexcept { return kind_ == Kind::until_close; }

 private:
  enum class Kind : std::uint8_t { length, chunks, until_close };
  std::size_t take_buffered(std::span<char> into) noexcept;

  Wire& wire_;
  const std::shared_ptr<Call> call_;
  Kind kind_ = Kind::length;
  ChunkDecoder chunks_;
  std::uint64_t left_ = 0;
  bool done_ = false;
};

}  // namespace fusebox::http
