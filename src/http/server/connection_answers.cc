// The side of a connection that its handler sees.
#include <array>
#include <charconv>

#include "http/limits.h"
#include "http/loop_impl.h"
#include "http/server/answer_stream.h"
#include "http/server/connection.h"
#include "http/socket_stream.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

Task<Result<std::string>> ServerConnection::read_body(std::uint64_t bytes_max) {
  Result<std::string> body = co_await body_.read_all(bytes_max);
  if (gone_) watch();
  co_return std::move(body);
}

Task<Result<std::size_t>> ServerConnection::read_body_some(std::span<char> into, std::uint64_t bytes_max) {
  Result<std::size_t> got = co_await body_.read_some(into, bytes_max);
  if (gone_) watch();
  co_return got;
}

namespace {

// What a handler says a streamed body will have.
std::optional<std::uint64_t> declared_length(const std::vector<Header>& headers) {
  for (const Header& header : headers) {
    if (!same_text(header.name, "content-length")) continue;
    std::uint64_t length = 0;
    const char* const end = header.value.data() + header.value.size();
    const auto [at, error] = std::from_chars(header.value.data(), end, length);
    if (error == std::errc() && at == end) return length;
  }
  return {};
}

}  // namespace

ResponseFrame ServerConnection::frame(const ServerResponse& response, bool streaming) {
  keep_alive_ =
      framing_.keep_alive && !shard_.core().draining.load(std::memory_order_relaxed) && !body_.spoils_connection();
  for (const Header& header : response.headers) {
    if (same_text(header.name, "connection") && names_token(header.value, "close")) keep_alive_ = false;
  }
  ResponseFrame frame;
  frame.minor = framing_.minor;
  frame.head_request = request_.method == "HEAD";
  if (!has_no_body(response.status)) {
    if (!streaming) {
      frame.length = response.shared_body ? response.shared_body->size() : response.body.size();
    } else if (const auto length = declared_length(response.headers)) {
      frame.length = length;
    } else if (framing_.minor > 0) {
      frame.chunked = true;
    } else if (!frame.head_request) {
      keep_alive_ = false;  // the end of the connection is the end of the body
    }
  }
  frame.keep_alive = keep_alive_;
  frame.date = shard_.loop().impl().date.at(shard_.loop().clock().wall());
  frame.server_name = options_.server_name;
  return frame;
}

Task<Result<void>> ServerConnection::respond(ServerResponse response) {
  if (answered_) co_return base::fail(Errc::bug, "the request was answered already");
  answered_ = true;
  const ResponseFrame how = frame(response, false);
  append_response_head(wire_.out, response.status, response.headers, how);
  std::string_view body = response.shared_body ? std::string_view(*response.shared_body) : response.body;
  if (how.head_request || has_no_body(response.status)) body = {};
  if (body.size() <= kCopiedBodyBytesMax) {
    wire_.out.append(body);
    body = {};
  }
  // The next request is here already: its answer may leave together with this one.
  if (body.empty() && !wire_.in.empty() && keep_alive_ && body_.done() && wire_.out.size() < kCoalescedBytesMax) {
    co_return Result<void>{};
  }
  if (body.empty() && wire_.push_out() && wire_.out.empty()) co_return Result<void>{};
  Result<void> sent = co_await wire_.flush(options_.write_limit, body);
  co_return sent;
}

Task<Result<std::unique_ptr<ResponseStream>>> ServerConnection::respond_streaming(ServerResponse head,
                                                                                  base::Nanos stall_limit) {
  if (answered_) co_return base::fail(Errc::bug, "the request was answered already");
  answered_ = true;
  const ResponseFrame how = frame(head, true);
  append_response_head(wire_.out, head.status, head.headers, how);
  Result<void> sent = co_await wire_.flush(stall_limit);
  if (!sent) co_return base::fail(std::move(sent).error());
  stream_open_ = true;
  const bool no_body = how.head_request || has_no_body(head.status);
  const auto kind = no_body       ? AnswerStream::Kind::none
                    : how.chunked ? AnswerStream::Kind::chunks
                                  : AnswerStream::Kind::plain;
  auto stream = std::make_unique<AnswerStream>(*this, kind, no_body ? std::nullopt : how.length, stall_limit, gone());
  stream_ = stream.get();
  co_return std::unique_ptr<ResponseStream>(std::move(stream));
}

Task<Result<std::unique_ptr<ByteStream>>> ServerConnection::upgrade(std::string head) {
  if (answered_) co_return base::fail(Errc::bug, "the request was answered already");
  answered_ = true;
  Result<void> sent = co_await wire_.flush(options_.write_limit, head);
  if (!sent) co_return base::fail(std::move(sent).error());
  stop_watching();
  upgraded_ = true;
  std::string early(wire_.in.view());
  std::shared_ptr<Socket> socket = wire_.release();
  given_away_ = socket;
  co_return stream_of(std::move(socket), std::move(early));
}

std::stop_token ServerConnection::gone() {
  if (!gone_) gone_.emplace();
  watch();
  return gone_->get_token();
}

// While the handler works nobody reads: the peer's end, and the next request's first bytes, are noticed here.
void ServerConnection::watch() {
  if (watching_ || !body_.done() || !wire_.is_open() || wire_.in.size() >= kUnreadBodyBytesMax) return;
  watching_ = true;
  wire_.in.shrink(0);
  wire_.socket().when_readable(&ServerConnection::watched, this);
}

void ServerConnection::stop_watching() noexcept {
  if (!std::exchange(watching_, false) || !wire_.is_open()) return;
  wire_.socket().forget_readable();
}

void ServerConnection::watched(void* self, bool ok) {
  auto& connection = *static_cast<ServerConnection*>(self);
  connection.watching_ = false;
  if (!ok) return connection.peer_is_gone();
  std::array<char, kReadBufferBytes> bytes;  // mostly it is the end that comes: that takes no buffer
  const std::ptrdiff_t got = connection.wire_.receive(bytes);
  if (got == 0 || got == Socket::kBroken) return connection.peer_is_gone();
  if (got > 0) connection.wire_.in.append({bytes.data(), static_cast<std::size_t>(got)});
  connection.watch();
}

void ServerConnection::peer_is_gone() {
  if (!gone_) return;
  const std::stop_source source = *gone_;  // what the callbacks end may end the connection
  source.request_stop();
}

}  // namespace fusebox::http
