#include "http/async/reply_body.h"

#include <algorithm>

#include "http/limits.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

void ReplyBody::begin(const ResponseHead& head, bool to_head_request) noexcept {
  if (to_head_request || head.status < 200 || head.status == 204 || head.status == 304) {
    done_ = true;
  } else if (head.framing.chunked) {
    kind_ = Kind::chunks;
  } else if (head.framing.length) {
    left_ = *head.framing.length;
    done_ = left_ == 0;
  } else {
    kind_ = Kind::until_close;
  }
}

std::size_t ReplyBody::take_buffered(std::span<char> into) noexcept {
  if (kind_ == Kind::chunks) {
    const ChunkDecoder::Step step = chunks_.decode(wire_.in.view(), into);
    wire_.in.consume(step.used);
    done_ = chunks_.done();
    return step.given;
  }
  std::size_t given = std::min(into.size(), wire_.in.size());
  if (kind_ == Kind::length) given = static_cast<std::size_t>(std::min<std::uint64_t>(given, left_));
  std::copy_n(wire_.in.view().data(), given, into.data());
  wire_.in.consume(given);
  if (kind_ == Kind::length) {
    left_ -= given;
    done_ = left_ == 0;
  }
  return given;
}

Task<Result<std::size_t>> ReplyBody::read_some(std::span<char> into) {
  if (into.empty()) co_return std::size_t{0};
  for (;;) {
    if (call_->ended()) co_return call_->failure(Errc::unavailable, "");
    if (done_) co_return std::size_t{0};
    const std::size_t given = take_buffered(into);
    if (given > 0) co_return given;
    if (chunks_.broken()) co_return call_->failure(Errc::unavailable, "the reply's chunks are malformed");
    if (done_) co_return std::size_t{0};
    const bool more = co_await wire_.fill(kKeptBufferBytes);
    if (more) continue;
    if (call_->ended() || kind_ != Kind::until_close || wire_.broke()) {
      co_return call_->failure(Errc::unavailable, "the reply ended before it was whole");
    }
    done_ = true;
  }
}

}  // namespace fusebox::http
