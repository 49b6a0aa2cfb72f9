#include "host/wire/remote_wire.h"

#include <algorithm>

#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/api/grant.h"
#include "host/api/too_large.h"
#include "host/wire/records.h"
#include "host/wire/status.h"
#include "http/retry.h"
#include "http/server/router.h"

namespace fusebox::host {

using base::Errc;
using base::Result;
using base::Task;

namespace {

constexpr base::Nanos kRetryPause{std::chrono::milliseconds{200}};  // the most before the second try; then twice that
constexpr base::Nanos kRetryPauseMax{std::chrono::seconds{2}};

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

http::AsyncClientOptions client_options(const RemoteOptions& options) {
  http::AsyncClientOptions client;
  client.tls = options.tls;
  client.proxies = options.proxies;
  client.user_agent = "fusebox/" FUSEBOX_VERSION;
  return client;
}

base::Error transport_error(base::Error error) {
  auto failure = std::make_shared<WireFailure>();
  if (const auto* send = dynamic_cast<const http::SendFailure*>(error.detail.get())) {
    failure->sent = send->sent;
    failure->refused = send->refused;
  }
  error.message = "the agent: " + error.message;
  error.detail = std::move(failure);
  return error;
}

base::Error status_error(const http::AsyncReply& reply) {
  auto failure = std::make_shared<WireFailure>();
  failure->status = reply.status;
  base::Error error{code_of(reply.status), short_text(reply.body), {}, std::move(failure)};
  if (reply.status == 413) error.name = kTooLarge;
  if (reply.status == 401) error.message = "the agent rejected the token";
  if (error.message.empty()) error.message = "the agent answered with status " + std::to_string(reply.status);
  return error;
}

bool may_retry(const base::Error& error) {
  if (error.code == Errc::unavailable) return true;
  const WireFailure* failure = wire_failure(error);
  return failure != nullptr && failure->status == 504;
}

}  // namespace

bool RemoteAgent::has(std::string_view feature) const noexcept {
  return std::ranges::find(features, feature) != features.end();
}

bool RemoteAgent::joins_arguments() const noexcept {
  return server.starts_with("fc-agent/0.1") || server.starts_with("qemu-agent/0.1");
}

std::string vm_path(std::string_view vm, std::string_view rest) {
  return ("/v1/vm/" + http::percent_encode(vm)).append(rest);
}

std::unexpected<base::Error> wire_fail(Errc code, std::string message, int status) {
  auto failure = std::make_shared<WireFailure>();
  failure->status = status;
  failure->sent = true;
  return std::unexpected(base::Error{code, std::move(message), {}, std::move(failure)});
}

bool is_unknown_route(const base::Error& error) noexcept {
  const WireFailure* failure = wire_failure(error);
  return failure != nullptr && failure->status == 404 && error.message == "not found";
}

RemoteWire::RemoteWire(http::Loop& loop, base::Random& random, RemoteOptions options)
    : loop_(loop),
      random_(random),
      options_(std::move(options)),
      base_(without_slash(options_.url)),
      client_(loop, client_options(options_)) {}

http::AsyncRequest RemoteWire::request_of(const CallContext& context, const WireCall& call, base::Nanos limit) const {
  http::AsyncRequest request;
  request.method = call.method;
  request.url = base_ + call.path;
  request.headers.push_back({"Authorization", "Bearer " + options_.token});
  if (!context.request_id.empty()) request.headers.push_back({"X-Request-ID", context.request_id});
  if (!context.op_id.empty()) request.headers.push_back({"X-Fusebox-Op", context.op_id});
  if (context.generation != 0) request.headers.push_back({"X-Fusebox-Generation", std::to_string(context.generation)});
  const bool has_body = call.method == "POST" || call.method == "PUT";
  if (has_body) request.headers.push_back({"Content-Type", call.body_type});
  request.send_length = has_body;
  request.body = call.body;
  request.limit = limit;
  request.body_bytes_max = kReplyBytesMax;
  request.repeatable = call.retries > 0;
  request.stop = context.stop;
  return request;
}

void RemoteWire::see(const http::AsyncReply& reply) {
  const std::string* server = reply.find("server");
  const std::string now = server != nullptr ? short_text(*server) : std::string();
  // Another program behind the same url: what the old one could do says nothing.
  if (agent_.server != now) agent_.known = false;
  agent_.server = now;
}

Task<Result<http::AsyncReply>> RemoteWire::call_once(const CallContext& context, const WireCall& call,
                                                     base::Nanos end) {
  const base::Nanos left = end - loop_.clock().monotonic();
  if (left <= base::Nanos{0}) co_return wire_fail(Errc::stopped, "the agent did not answer in time");
  auto reply = co_await client_.send(request_of(context, call, std::min(call.limit, left)));
  if (!reply) co_return std::unexpected(transport_error(std::move(reply).error()));
  see(*reply);
  if (reply->status >= 200 && reply->status < 300) co_return std::move(*reply);
  co_return std::unexpected(status_error(*reply));
}

Task<Result<http::AsyncReply>> RemoteWire::call(CallContext context, WireCall call) {
  const base::Nanos end = loop_.clock().monotonic() + context.limit;
  const auto attempts = static_cast<unsigned>(call.retries) + 1;
  const auto attempt = [&] { return call_once(context, call, end); };
  const auto again = [&](const base::Error& error) { return may_retry(error) && !context.stop.stop_requested(); };
  auto reply = co_await http::retry(loop_, random_, attempts, kRetryPause, kRetryPauseMax, attempt, again);
  co_return std::move(reply);
}

Task<Result<base::json::Document>> RemoteWire::call_json(CallContext context, WireCall call) {
  auto reply = co_await this->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  auto document =
      base::json::parse(reply->body, {.file = "the agent's reply", .bytes_max = kReplyBytesMax, .pointers = false});
  if (!document) co_return wire_fail(Errc::io, short_text(document.error().message), reply->status);
  if (!document->root->is_object())
    co_return wire_fail(Errc::io, "the agent's reply is not a JSON object", reply->status);
  co_return std::move(*document);
}

namespace {

// What an agent says about a stream it did not give.
Task<Result<std::unique_ptr<http::ReplyStream>>> checked(Result<std::unique_ptr<http::ReplyStream>> opened) {
  if (!opened) co_return std::unexpected(transport_error(std::move(opened).error()));
  const int status = (*opened)->head().status;
  if (status == 200 || status == 206) co_return std::move(*opened);
  http::AsyncReply reply;
  reply.status = status;
  char block[4096];
  while (reply.body.size() <= kErrorTextBytesMax) {
    auto got = co_await (*opened)->read_some(block);
    if (!got || *got == 0) break;
    reply.body.append(block, *got);
  }
  co_return std::unexpected(status_error(reply));
}

}  // namespace

Task<Result<std::unique_ptr<http::ReplyStream>>> RemoteWire::open(CallContext context, WireCall call) {
  auto opened = co_await client_.open(request_of(context, call, std::min(call.limit, context.limit)));
  auto stream = co_await checked(std::move(opened));
  co_return stream;
}

Task<Result<std::unique_ptr<http::ReplyStream>>> RemoteWire::open_artifact(CallContext context, std::string digest) {
  WireCall call;
  call.path = "/v1/artifacts/" + http::percent_encode(digest);
  http::AsyncRequest request = request_of(context, call, std::min<base::Nanos>(kPullLimit, context.limit));
  // A grant and a bearer token are never sent together.
  std::erase_if(request.headers, [](const http::Header& header) { return header.name == "Authorization"; });
  request.headers.push_back(
      {std::string(kGrantHeader), mint_grant(options_.token, digest, loop_.clock().wall(), random_)});
  request.body_bytes_max = kArtifactBytesMax;
  auto opened = co_await client_.open(std::move(request));
  auto stream = co_await checked(std::move(opened));
  co_return stream;
}

Task<Result<http::Upgraded>> RemoteWire::upgrade(CallContext context, std::string path, std::string protocol) {
  WireCall call;
  call.path = std::move(path);
  const base::Nanos limit = std::min<base::Nanos>(kUpgradeLimit, context.limit);
  auto upgraded = co_await client_.upgrade(request_of(context, call, limit), std::move(protocol));
  if (!upgraded) co_return std::unexpected(transport_error(std::move(upgraded).error()));
  if (upgraded->stream == nullptr) co_return std::unexpected(status_error(upgraded->head));
  co_return std::move(*upgraded);
}

void RemoteWire::learn(const Capacity& capacity) {
  agent_.known = true;
  agent_.features = capacity.features;
  agent_.images.clear();
  if (!capacity.image_gb) return;
  for (const auto& [name, gb] : *capacity.image_gb) agent_.images.push_back(name);
}

Task<Result<void>> RemoteWire::know(CallContext context) {
  if (agent_.known) co_return Result<void>();
  context.limit = std::min<base::Nanos>(context.limit, kReadLimit);
  WireCall call{.path = "/v1/capacity", .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  learn(read_capacity(*document->root));
  co_return Result<void>();
}

}  // namespace fusebox::host
