#include "http/server/connection.h"

#include <array>
#include <charconv>

#include "base/wait.h"
#include "http/limits.h"
#include "http/server/answer_stream.h"
#include "http/tls.h"

namespace fusebox::http {

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
  if (const auto away = given_away_.lock()) away->close();
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
    // A peer that always has another request ready must not have the thread to itself.
    if (++requests_ % kRequestsPerTurn == 0) co_await base::resume_on(shard_.loop());
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
  wire_.limit_stalls(base::Nanos::max());
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
    if (wire_.out.capacity() > kKeptBufferBytes) wire_.out = std::string();
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

}  // namespace fusebox::http
