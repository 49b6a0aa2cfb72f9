#include "http/server/connection.h"

#include <array>
#include <charconv>

#include "http/limits.h"
#include "http/loop_impl.h"
#include "http/server/answer_stream.h"
#include "http/socket_stream.h"
#include "http/tls.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

// Awaits the handler. As soon as it waits for something, the answers collected so far leave: another request's answer is
// not held up by this one's.
class ServerConnection::Handling {
 public:
  Handling(ServerConnection& connection, Task<void>& task) noexcept
      : connection_(connection), inner_(task.operator co_await()) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    const bool waits = inner_.await_suspend(waiter);
    if (waits && !connection_.wire_.out.empty()) connection_.wire_.push_out();
    return waits;
  }
  void await_resume() const noexcept {}

 private:
  ServerConnection& connection_;
  Task<void>::Awaiter inner_;
};

ServerConnection::ServerConnection(Shard& shard, std::shared_ptr<Socket> socket, Peer peer,
                                   std::shared_ptr<Ticket> ticket)
    : shard_(shard),
      ticket_(std::move(ticket)),
      options_(shard.core().options),
      wire_(std::move(socket)),
      body_(wire_, shard.core().options.body_limit) {
  request_.peer = std::move(peer.address);
  request_.peer_port = peer.port;
  request_.tls = wire_.socket().tls() != nullptr;
}

ServerConnection::~ServerConnection() {
  stop_watching();
  if (stream_ != nullptr) stream_->cut_off();
}

void ServerConnection::start() {
  serving_ = serve();
  serving_.start();
}

void ServerConnection::close() noexcept {
  wire_.close();
  peer_is_gone();
}

void ServerConnection::close_if_idle() noexcept {
  if (idle_) wire_.close();
}

Task<void> ServerConnection::serve() {
  bool goes_on = true;
  if (request_.tls) goes_on = co_await handshake();
  while (goes_on) {
    Heard heard = hear();
    while (heard == Heard::nothing_yet) {
      const bool more = co_await hear_more();
      if (!more) break;
      heard = hear();
    }
    if (heard == Heard::nothing_yet && wire_.expired() && !wire_.in.empty()) {
      problem_ = {408, "the request came too slowly"};
      heard = Heard::refused;
    }
    if (heard == Heard::refused) co_await refuse(problem_);
    if (heard != Heard::request) break;
    goes_on = co_await answer();
  }
  if (!upgraded_) wire_.close();
  shard_.ended(*this);
}

Task<bool> ServerConnection::handshake() {
  wire_.read_bound().set_after(options_.header_limit);
  for (;;) {
    const TlsSession::Step step = wire_.socket().tls()->handshake();
    if (step == TlsSession::Step::done) co_return true;
    if (step == TlsSession::Step::failed) {
      wire_.push_out();
      co_return false;
    }
    bool ready = false;
    if (step == TlsSession::Step::wants_read) {
      ready = co_await wire_.socket().readable();
    } else {
      ready = co_await wire_.socket().writable();
    }
    if (!ready) co_return false;
  }
}

// Looks for a whole head in what has arrived.
ServerConnection::Heard ServerConnection::hear() {
  if (!heading_) {
    // An empty line before a request is a leftover of old clients' bodies.
    while (wire_.in.view().starts_with("\r\n")) wire_.in.consume(2);
    if (wire_.in.empty() || wire_.in.view() == "\r") return Heard::nothing_yet;
    heading_ = true;
    head_began_ = base::Nanos{0};
  }
  problem_ = {};
  switch (scanner_.scan(wire_.in.view())) {
    case HeadScanner::State::bad_line_end:
      problem_ = {400, "lines must end in CR LF"};
      return Heard::refused;
    case HeadScanner::State::incomplete:
      if (wire_.in.size() < options_.header_bytes_max) return Heard::nothing_yet;
      problem_ = {431, "the request's headers are too large"};
      return Heard::refused;
    case HeadScanner::State::complete:
      break;
  }
  if (scanner_.bytes() > options_.header_bytes_max) {
    problem_ = {431, "the request's headers are too large"};
    return Heard::refused;
  }
  RequestHead head;
  problem_ = parse_request_head(wire_.in.view().substr(0, scanner_.bytes()), head);
  wire_.in.consume(scanner_.bytes());
  scanner_.reset();
  heading_ = false;
  framing_ = head.framing;
  if (problem_.status != 0) return Heard::refused;
  body_.begin(head);
  request_.method = std::move(head.method);
  request_.target = std::move(head.target);
  request_.headers = std::move(head.headers);
  request_.has_body = !body_.done();
  request_.content_length = head.framing.length;
  begin_request();
  return Heard::request;
}

void ServerConnection::begin_request() noexcept {
  answered_ = upgraded_ = stream_open_ = false;
  keep_alive_ = framing_.keep_alive;
  gone_.reset();
  wire_.read_bound().clear();
}

Task<bool> ServerConnection::hear_more() {
  if (!wire_.out.empty()) {
    Result<void> sent = co_await wire_.flush(options_.write_limit);
    if (!sent) co_return false;
  }
  if (heading_) {
    const base::Nanos now = shard_.loop().clock().monotonic();
    if (head_began_ == base::Nanos{0}) head_began_ = now;
    wire_.read_bound().set(head_began_ + options_.header_limit);
  } else {
    if (shard_.core().draining.load(std::memory_order_relaxed)) co_return false;
    wire_.in.shrink(kReadBufferBytes);
    wire_.read_bound().set_after(options_.idle_limit);
    idle_ = true;
  }
  const bool more = co_await wire_.fill(options_.header_bytes_max + 1);
  idle_ = false;
  co_return more;
}

Task<bool> ServerConnection::answer() {
  Task<void> task = shard_.core().handler(*this);
  co_await Handling(*this, task);
  task = {};  // what the handler held goes before the connection goes on
  const bool goes_on = co_await finish();
  co_return goes_on;
}

Task<bool> ServerConnection::finish() {
  stop_watching();
  if (upgraded_) co_return false;
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->cut_off();
  if (stream_open_ || !wire_.is_open()) co_return false;  // a stream that was not finished must look broken
  if (!answered_) {
    Result<void> told = co_await respond(own_answer(500, "the request could not be answered"));
    if (!told) co_return false;
  }
  if (!body_.done() || !keep_alive_) {
    if (!wire_.out.empty()) {
      Result<void> sent = co_await wire_.flush(options_.write_limit);
      if (!sent) co_return false;
    }
    bool drained = false;
    if (!body_.spoils_connection()) drained = co_await body_.drain();
    if (!drained) co_await linger();
    if (!drained) co_return false;
  }
  co_return keep_alive_;
}

ServerResponse ServerConnection::own_answer(int status, std::string_view what) const {
  if (options_.error_response) return options_.error_response(status, what);
  return {
      .status = status, .headers = {{"Content-Type", "text/plain; charset=utf-8"}}, .body = std::string(what) + "\n"};
}

// For what cannot be a request: nothing after it on this connection has a meaning.
Task<void> ServerConnection::refuse(HeadProblem problem) {
  begin_request();
  framing_.keep_alive = false;
  request_.method.clear();
  request_.headers.clear();
  wire_.in.consume(wire_.in.size());
  Result<void> told = co_await respond(own_answer(problem.status, problem.what));
  if (!told) co_return;
  if (!wire_.out.empty()) {
    Result<void> sent = co_await wire_.flush(options_.write_limit);
    if (!sent) co_return;
  }
  co_await linger();
}

// Closing with bytes unread resets the connection, and the peer may never see the answer: give it a moment.
Task<void> ServerConnection::linger() {
  wire_.socket().shut_down_sending();
  wire_.read_bound().set_after(kLingerTime);
  std::size_t thrown_away = wire_.in.size();
  while (thrown_away < kLingerBytesMax) {
    wire_.in.consume(wire_.in.size());
    const bool more = co_await wire_.fill(kKeptBufferBytes);
    if (!more) co_return;
    thrown_away += wire_.in.size();
  }
}

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
  co_return stream_of(wire_.release(), std::move(early));
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
  const std::ptrdiff_t got = connection.wire_.receive(connection.wire_.in.room(kUnreadBodyBytesMax));
  if (got == 0 || got == Socket::kBroken) return connection.peer_is_gone();
  if (got > 0) connection.wire_.in.add(static_cast<std::size_t>(got));
  connection.watch();
}

void ServerConnection::peer_is_gone() {
  if (!gone_) return;
  const std::stop_source source = *gone_;  // what the callbacks end may end the connection
  source.request_stop();
}

}  // namespace fusebox::http
