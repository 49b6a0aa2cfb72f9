#include "http/server/request_body.h"

#include <algorithm>
#include <array>

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

namespace {
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kFirstReserveBytes = 64 * 1024;  // an announced length reserves no more before its bytes came
}  // namespace

void RequestBody::begin(const RequestHead& head) noexcept {
  chunks_ = {};
  chunked_ = head.framing.chunked;
  left_ = head.framing.length.value_or(0);
  read_ = 0;
  done_ = !chunked_ && left_ == 0;
  failed_ = waited_ = false;
  expects_continue_ = head.expects_continue && !done_;
}

std::unexpected<base::Error> RequestBody::give_up(Errc code, const char* message, const char* name) {
  failed_ = true;
  return base::fail(code, message, name);
}

// What is in the buffer already; 0 = nothing yet, or the end.
Result<std::size_t> RequestBody::take_buffered(std::span<char> into, std::uint64_t bytes_max) {
  std::size_t given = 0;
  if (chunked_) {
    const ChunkDecoder::Step step = chunks_.decode(wire_.in.view(), into);
    wire_.in.consume(step.used);
    given = step.given;
    if (chunks_.broken()) return give_up(Errc::invalid, "the request body's chunks are malformed");
    done_ = chunks_.done();
  } else {
    given = static_cast<std::size_t>(std::min<std::uint64_t>({left_, into.size(), wire_.in.size()}));
    std::copy_n(wire_.in.view().data(), given, into.data());
    wire_.in.consume(given);
    left_ -= given;
    done_ = left_ == 0;
  }
  read_ += given;
  if (read_ > bytes_max) return give_up(Errc::exhausted, "the request body is too large", "TOO_LARGE");
  return given;
}

// Expect: 100-continue. A client that sends its body without waiting needs no answer.
Task<Result<void>> RequestBody::ask_for_it() {
  if (!expects_continue_) co_return Result<void>{};
  expects_continue_ = false;
  if (!wire_.in.empty()) co_return Result<void>{};
  wire_.out.append(kContinue);
  Result<void> sent = co_await wire_.flush(limit_);
  co_return sent;
}

Task<Result<std::size_t>> RequestBody::read_some(std::span<char> into, std::uint64_t bytes_max) {
  if (failed_) co_return give_up(Errc::unavailable, "the request body could not be read");
  if (done_ || into.empty()) co_return std::size_t{0};
  if (!chunked_ && left_ > bytes_max - std::min(read_, bytes_max)) {
    co_return give_up(Errc::exhausted, "the request body is too large", "TOO_LARGE");
  }
  Result<void> asked = co_await ask_for_it();
  if (!asked) failed_ = true;
  if (!asked) co_return base::fail(std::move(asked).error());
  for (;;) {
    Result<std::size_t> given = take_buffered(into, bytes_max);
    if (!given || *given > 0 || done_) {
      if (done_) wire_.read_bound().clear();
      co_return given;
    }
    if (!waited_) wire_.read_bound().set_after(limit_);
    waited_ = true;
    const bool more = co_await wire_.fill(kKeptBufferBytes);
    if (more) continue;
    if (wire_.expired()) co_return give_up(Errc::unavailable, "the request body came too slowly", "TIMEOUT");
    co_return give_up(Errc::unavailable, "the peer went away within the request body");
  }
}

Task<Result<std::string>> RequestBody::read_all(std::uint64_t bytes_max) {
  std::string body;
  if (!chunked_ && left_ <= bytes_max)
    body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(left_, kFirstReserveBytes)));
  while (!done_ || failed_) {
    const std::size_t used = body.size();
    const std::size_t piece = std::clamp<std::size_t>(used, kReadBufferBytes, 1u << 20);
    body.resize(used + static_cast<std::size_t>(
                           chunked_ ? piece : std::min<std::uint64_t>(std::max<std::uint64_t>(left_, 1), piece)));
    Result<std::size_t> got = co_await read_some(std::span(body).subspan(used), bytes_max);
    if (!got) co_return base::fail(std::move(got).error());
    body.resize(used + *got);
  }
  co_return std::move(body);
}

Task<bool> RequestBody::drain() {
  std::array<char, 4096> thrown_away{};
  const std::uint64_t bound = read_ + kUnreadBodyBytesMax;
  while (!done_) {
    if (spoils_connection()) co_return false;
    Result<std::size_t> got = co_await read_some(thrown_away, bound);
    if (!got) co_return false;
  }
  co_return !failed_;
}

}  // namespace fusebox::http
