#include "http/async/async_client.h"

#include <algorithm>
#include <utility>

#include "http/async/call.h"
#include "http/async/dial.h"
#include "http/async/line_pool.h"
#include "http/async/proxy_rules.h"
#include "http/async/reply_body.h"
#include "http/async/request_text.h"
#include "http/async/talk.h"
#include "http/async/url.h"
#include "http/limits.h"
#include "http/socket_stream.h"

namespace fusebox::http {

using base::Errc;
using base::Result;
using base::Task;

namespace {

// A request that was answered: the head is here, the body is still on the wire.
struct Answered {
  std::unique_ptr<Wire> wire;
  std::string origin;
  ResponseHead head;
  bool to_head_request = false;
};

bool may_repeat(const AsyncRequest& request) noexcept {
  if (request.repeatable) return true;
  for (const std::string_view method : {"GET", "HEAD", "PUT", "DELETE"}) {
    if (request.method == method) return true;
  }
  return false;
}

}  // namespace

struct AsyncClient::Impl {
  Impl(Loop& of, AsyncClientOptions given)
      : loop(of),
        options(std::move(given)),
        proxies(ProxyRules::parse(options.proxies)),
        pool(options.idle_max, options.idle_limit) {}

  Task<Result<Answered>> begin(const AsyncRequest& request, std::shared_ptr<Call> call, std::string protocol);
  Task<Result<std::unique_ptr<Wire>>> connect(const Url& url, const Proxy* proxy, std::shared_ptr<Call> call);
  Task<Result<void>> read_all(Answered& answered, std::shared_ptr<Call> call, std::uint64_t bytes_max,
                              std::string& into);
  void keep(Answered& answered, const ReplyBody& body);

  Loop& loop;
  const AsyncClientOptions options;
  const Result<ProxyRules> proxies;
  LinePool pool;
  std::unique_ptr<TlsClient> tls;  // made at the first https request: reading the system's authorities takes a while
};

// Asks the proxy for a way through to the server; what then comes over the socket is the server's.
Task<Result<std::shared_ptr<Socket>>> tunnel(std::shared_ptr<Socket> socket, const Url& url, const Proxy& proxy,
                                             std::shared_ptr<Call> call) {
  const bool v6 = url.host.find(':') != std::string::npos;
  const std::string to = (v6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
  const std::string head = "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n" + proxy.authorization + "\r\n";
  Wire wire(std::move(socket));
  call->waits_for(wire.shared_socket());
  const bool sent = call->sent;
  co_await write_request(wire, call, head, "");
  bool came = false;
  Result<ResponseHead> answer = co_await read_head(wire, call, false, came);
  call->sent = sent;  // what the proxy saw was not the request
  if (!answer) co_return call->failure(Errc::unavailable, "the proxy gave no answer");
  if (answer->status / 100 != 2 || !wire.in.empty()) {
    co_return call->failure(Errc::unavailable,
                            "the proxy refused the connection with " + std::to_string(answer->status));
  }
  co_return wire.release();
}

Task<Result<std::unique_ptr<Wire>>> AsyncClient::Impl::connect(const Url& url, const Proxy* proxy,
                                                               std::shared_ptr<Call> call) {
  if (url.https && !tls) {
    Result<std::unique_ptr<TlsClient>> made = TlsClient::make(options.tls);
    if (!made) co_return call->failure(made.error().code, made.error().message);
    tls = std::move(*made);
  }
  const std::string& host = proxy == nullptr ? url.host : proxy->host;
  const std::uint16_t port = proxy == nullptr ? url.port : proxy->port;
  Result<std::shared_ptr<Socket>> socket = co_await dial(loop, call, host, port, options.connect_limit);
  if (proxy != nullptr && url.https && socket) socket = co_await tunnel(std::move(*socket), url, *proxy, call);
  if (!socket) co_return base::fail(std::move(socket).error());
  if (url.https) {
    Result<void> secured = co_await secure(*socket, call, *tls, url.host, options.tls_limit);
    if (!secured) co_return base::fail(std::move(secured).error());
  }
  co_return std::make_unique<Wire>(std::move(*socket));
}

Task<Result<Answered>> AsyncClient::Impl::begin(const AsyncRequest& request, std::shared_ptr<Call> call,
                                                std::string protocol) {
  if (call->ended()) co_return call->failure(Errc::stopped, "");
  const Result<Url> url = parse_url(request.url);
  if (!url) co_return call->failure(url.error().code, url.error().message);
  if (!proxies) co_return call->failure(proxies.error().code, proxies.error().message);
  const Proxy* const proxy = proxies->proxy_for(*url);
  const bool by_proxy = proxy != nullptr && !url->https;  // it reads the request itself, and wants the whole URL
  const std::string target = by_proxy ? "http://" + url->authority + url->target : url->target;
  const std::string_view more = by_proxy ? std::string_view(proxy->authorization) : std::string_view();
  const Result<std::string> head = request_text(request, *url, target, options.user_agent, protocol, more);
  if (!head) co_return call->failure(head.error().code, head.error().message);

  Answered answered;
  answered.origin = (url->https ? "https " : "http ") + url->authority;
  answered.to_head_request = request.method == "HEAD";
  answered.wire = pool.take(answered.origin);
  for (;;) {
    const bool reused = answered.wire != nullptr;
    if (!reused) {
      Result<std::unique_ptr<Wire>> fresh = co_await connect(*url, proxy, call);
      if (!fresh) co_return base::fail(std::move(fresh).error());
      answered.wire = std::move(*fresh);
    }
    call->waits_for(answered.wire->shared_socket());
    const bool sent_before = std::exchange(call->sent, false);
    co_await write_request(*answered.wire, call, *head, request.body);
    const bool sent_now = call->sent;
    call->sent = sent_now || sent_before;
    bool came = false;
    Result<ResponseHead> got = co_await read_head(*answered.wire, call, !protocol.empty(), came);
    if (got) {
      answered.head = std::move(*got);
      co_return std::move(answered);
    }
    answered.wire.reset();
    // The server may have closed the connection while it was idle, before it saw the request.
    const bool again = reused && !came && !call->ended() && (!sent_now || may_repeat(request));
    if (!again) co_return base::fail(std::move(got).error());
  }
}

void AsyncClient::Impl::keep(Answered& answered, const ReplyBody& body) {
  if (body.done() && !body.ends_with_connection() && answered.head.framing.keep_alive && answered.head.status >= 200) {
    pool.keep(answered.origin, std::move(answered.wire));
  }
}

Task<Result<void>> AsyncClient::Impl::read_all(Answered& answered, std::shared_ptr<Call> call, std::uint64_t bytes_max,
                                               std::string& into) {
  ReplyBody body(*answered.wire, call);
  body.begin(answered.head, answered.to_head_request);
  const bool announced = !answered.to_head_request && answered.head.framing.length.has_value();
  if (!body.done() && announced && *answered.head.framing.length > bytes_max) {
    co_return call->failure(Errc::exhausted, "the reply is larger than allowed");
  }
  while (!body.done()) {
    const std::size_t used = into.size();
    into.resize(used + std::clamp<std::size_t>(used, kReadBufferBytes, 1u << 20));
    Result<std::size_t> got = co_await body.read_some(std::span(into).subspan(used));
    into.resize(used + (got ? *got : 0));
    if (!got) co_return base::fail(std::move(got).error());
    if (into.size() > bytes_max) co_return call->failure(Errc::exhausted, "the reply is larger than allowed");
  }
  call->waits_for(std::shared_ptr<Socket>());
  keep(answered, body);
  co_return Result<void>{};
}

namespace {

AsyncReply reply_of(ResponseHead head) {
  return {.status = head.status, .headers = std::move(head.headers), .body = {}};
}

class OpenReply final : public ReplyStream {
 public:
  OpenReply(Answered answered, std::shared_ptr<Call> call)
      : head_(reply_of(answered.head)), wire_(std::move(answered.wire)), body_(*wire_, std::move(call)) {
    body_.begin(answered.head, answered.to_head_request);
  }
  const AsyncReply& head() const noexcept override { return head_; }
  Task<Result<std::size_t>> read_some(std::span<char> into) override { return body_.read_some(into); }

 private:
  AsyncReply head_;
  std::unique_ptr<Wire> wire_;
  ReplyBody body_;
};

}  // namespace

const std::string* AsyncReply::find(std::string_view name) const noexcept {
  for (const Header& header : headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

AsyncClient::AsyncClient(Loop& loop, AsyncClientOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}
AsyncClient::~AsyncClient() = default;

Task<Result<AsyncReply>> AsyncClient::send(AsyncRequest request) {
  const std::shared_ptr<Call> call = Call::begin(impl_->loop, request.limit, request.stop);
  Result<Answered> answered = co_await impl_->begin(request, call, std::string());
  if (!answered) co_return base::fail(std::move(answered).error());
  std::string body;
  Result<void> read = co_await impl_->read_all(*answered, call, request.body_bytes_max, body);
  if (!read) co_return base::fail(std::move(read).error());
  AsyncReply reply = reply_of(std::move(answered->head));
  reply.body = std::move(body);
  co_return std::move(reply);
}

Task<Result<std::unique_ptr<ReplyStream>>> AsyncClient::open(AsyncRequest request) {
  const std::shared_ptr<Call> call = Call::begin(impl_->loop, request.limit, request.stop);
  Result<Answered> answered = co_await impl_->begin(request, call, std::string());
  if (!answered) co_return base::fail(std::move(answered).error());
  call->lift_limit();
  co_return std::make_unique<OpenReply>(std::move(*answered), call);
}

Task<Result<Upgraded>> AsyncClient::upgrade(AsyncRequest request, std::string protocol) {
  const std::shared_ptr<Call> call = Call::begin(impl_->loop, request.limit, request.stop);
  Result<Answered> answered = co_await impl_->begin(request, call, protocol);
  if (!answered) co_return base::fail(std::move(answered).error());
  Upgraded upgraded;
  if (answered->head.status == 101) {
    upgraded.head = reply_of(std::move(answered->head));
    call->waits_for(std::shared_ptr<Socket>());
    std::string early(answered->wire->in.view());
    upgraded.stream = stream_of(answered->wire->release(), std::move(early));
    co_return std::move(upgraded);
  }
  std::string body;
  Result<void> read = co_await impl_->read_all(*answered, call, request.body_bytes_max, body);
  if (!read) co_return base::fail(std::move(read).error());
  upgraded.head = reply_of(std::move(answered->head));
  upgraded.head.body = std::move(body);
  co_return std::move(upgraded);
}

}  // namespace fusebox::http
