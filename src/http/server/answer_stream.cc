#include "http/server/answer_stream.h"

#include "http/chunked.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

AnswerStream::~AnswerStream() {
  if (connection_ != nullptr) connection_->stream_ = nullptr;
}

Task<Result<void>> AnswerStream::write(std::string_view bytes) {
  if (connection_ == nullptr || !connection_->stream_open_)
    co_return base::fail(Errc::unavailable, "the stream has ended");
  if (kind_ == Kind::none || bytes.empty()) co_return Result<void>{};
  if (left_) {
    if (bytes.size() > *left_) co_return base::fail(Errc::bug, "more bytes than the head of the answer said");
    *left_ -= bytes.size();
  }
  Wire& wire = connection_->wire_;
  Result<void> sent;
  if (kind_ == Kind::plain) {
    sent = co_await wire.send_all(bytes, "", "", stall_limit_);
  } else {
    const ChunkHead head(bytes.size());
    sent = co_await wire.send_all(head.text(), bytes, "\r\n", stall_limit_);
  }
  // The peer is gone for those as well who only watch the token.
  if (!sent && connection_ != nullptr) connection_->peer_is_gone();
  co_return sent;
}

Task<Result<void>> AnswerStream::finish() {
  if (connection_ == nullptr || !connection_->stream_open_)
    co_return base::fail(Errc::unavailable, "the stream has ended");
  if (left_.value_or(0) != 0) co_return base::fail(Errc::bug, "fewer bytes than the head of the answer said");
  Result<void> sent;
  if (kind_ == Kind::chunks) sent = co_await connection_->wire_.send_all("0\r\n\r\n", "", "", stall_limit_);
  if (sent && connection_ != nullptr) connection_->stream_open_ = false;
  co_return sent;
}

void AnswerStream::limit_stalls(base::Nanos longest) {
  if (connection_ != nullptr && connection_->stream_open_) connection_->wire_.limit_stalls(longest);
}

}  // namespace fusebox::http
