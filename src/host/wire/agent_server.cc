#include "host/wire/agent_server.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "host/api/too_large.h"
#include "host/common/names.h"
#include "host/wire/agent_impl.h"
#include "host/wire/status.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::size_t kHeaderIdBytesMax = 128;  // of X-Request-ID and X-Fusebox-Op: longer ones are nobody's

std::string header_id(const http::ServerRequest& request, std::string_view name) {
  const std::string* value = request.find(name);
  if (value == nullptr || value->size() > kHeaderIdBytesMax) return {};
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  return std::ranges::all_of(*value, visible) ? *value : std::string();
}

bool is_bearer(std::string_view given, const std::string& token) {
  if (token.empty()) return false;
  return base::equal_constant_time(base::as_bytes(given), base::as_bytes("Bearer " + token));
}

}  // namespace

std::string agent_server_name() {
  return "fusebox-host/" FUSEBOX_VERSION;
}

http::ServerOptions agent_http_options(std::chrono::nanoseconds request_limit) {
  http::ServerOptions options;
  options.header_limit = request_limit;
  options.body_limit = request_limit;
  options.idle_limit = request_limit;
  options.server_name = agent_server_name();
  options.error_response = [](int status, std::string_view what) { return text_answer(status, std::string(what)); };
  return options;
}

http::ServerResponse json_answer(std::string text, int status) {
  http::ServerResponse answer;
  answer.status = status;
  answer.headers.push_back({"Content-Type", "application/json"});
  answer.body = std::move(text);
  return answer;
}

http::ServerResponse text_answer(int status, std::string text) {
  http::ServerResponse answer;
  answer.status = status;
  answer.headers.push_back({"Content-Type", "text/plain"});
  answer.body = short_text(text);
  return answer;
}

http::ServerResponse empty_answer() {
  http::ServerResponse answer;
  answer.status = 204;
  return answer;
}

std::unexpected<base::Error> fail_as(int status, std::string message) {
  auto failure = std::make_shared<WireFailure>();
  failure->status = status;
  return std::unexpected(base::Error{code_of(status), std::move(message), {}, std::move(failure)});
}

void StopAny::watch(std::stop_token token) {
  watched_.push_back(std::make_unique<std::stop_callback<Request>>(std::move(token), Request{source_}));
}

const std::vector<AgentServer::Impl::RouteRow>& AgentServer::Impl::table() {
  static const std::vector<RouteRow> rows = {
      {"GET", "/", &Impl::health},
      {"GET", "/healthz", &Impl::health},
      {"GET", "/metrics", &Impl::metrics_text},
      {"GET", "/v1/capacity", &Impl::capacity},
      {"POST", "/v1/vm", &Impl::create},
      {"GET", "/v1/vm", &Impl::list},
      {"GET", "/v1/vm/{id}", &Impl::get},
      {"DELETE", "/v1/vm/{id}", &Impl::destroy},
      {"POST", "/v1/vm/{id}/upload", &Impl::upload},
      {"POST", "/v1/vm/{id}/exec", &Impl::exec},
      {"POST", "/v1/vm/{id}/start-agent", &Impl::start_agent},
      {"POST", "/v1/vm/{id}/start-surfd", &Impl::start_surfd},
      {"POST", "/v1/vm/{id}/drain", &Impl::drain},
      {"GET", "/v1/vm/{id}/attach", &Impl::attach},
      {"GET", "/v1/vm/{id}/exec-stream", &Impl::exec_stream},
      {"GET", "/v1/vm/{id}/processes", &Impl::processes},
      {"GET", "/v1/vm/{id}/stats", &Impl::stats},
      {"POST", "/v1/vm/{id}/snapshot", &Impl::snapshot},
      {"GET", "/v1/vm/{id}/snapshots", &Impl::snapshots},
      {"DELETE", "/v1/vm/{id}/snapshots/{sid}", &Impl::delete_snapshot},
      {"POST", "/v1/vm/{id}/restore", &Impl::restore},
      {"POST", "/v1/vm/{id}/fork", &Impl::fork},
      {"GET", "/v1/vm/{id}/files", &Impl::read_file},
      {"PUT", "/v1/vm/{id}/files", &Impl::write_file},
      {"DELETE", "/v1/vm/{id}/files", &Impl::remove_file},
      {"GET", "/v1/vm/{id}/logs", &Impl::logs},
      {"GET", "/v1/snapshots", &Impl::all_snapshots},
      {"DELETE", "/v1/snapshots/{sid}", &Impl::delete_stored_snapshot},
      {"GET", "/v1/artifacts/{digest}", &Impl::artifact},
      {"POST", "/v1/artifacts/{digest}/pull", &Impl::pull},
      {"GET", "/v1/operations/{op}", &Impl::operation},
  };
  return rows;
}

AgentServer::Impl::Impl(const AgentServerParts& parts, AgentServerOptions given)
    : provider(parts.provider),
      executor(parts.executor),
      clock(parts.clock),
      random(parts.random),
      logger(parts.logger),
      options(std::move(given)),
      router([] {
        std::vector<http::Route> routes;
        for (std::size_t id = 0; id < table().size(); ++id)
          routes.push_back({table()[id].method, table()[id].pattern, id});
        return routes;
      }()),
      gates(parts.executor),
      operations(parts.clock),
      boots(parts.executor, std::max<std::size_t>(options.parallel_boots_max, 1)),
      background(parts.executor) {}

bool AgentServer::Impl::is_authorised(const http::ServerRequest& request) const {
  const std::string* given = request.find("authorization");
  const std::string_view value = given != nullptr ? std::string_view(*given) : std::string_view();
  // Both are compared always, so that time does not tell which of them is in use.
  const bool present = is_bearer(value, options.token);
  const bool previous = is_bearer(value, options.token_previous);
  return present || previous;
}

Result<AgentCall> AgentServer::Impl::call_of(http::Exchange& exchange, const http::Router::Match& match) const {
  const http::ServerRequest& request = exchange.request();
  AgentCall call{.exchange = exchange,
                 .values = match.values,
                 .query = http::Query(request.query()),
                 .context = {},
                 .vm = {},
                 .route = match.route->method + " " + match.route->pattern};
  if (match.route->pattern.starts_with("/v1/vm/")) {
    auto id = vm_id_of(call.values.front(), random);
    if (!id) return fail(Errc::not_found, "vm not found");
    call.vm = std::move(*id);
  }
  call.context.request_id = header_id(request, "x-request-id");
  call.context.op_id = header_id(request, "x-fusebox-op");
  if (const std::string* text = request.find("x-fusebox-generation")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), call.context.generation);
    if (error != std::errc() || end != text->data() + text->size())
      return fail(Errc::invalid, "X-Fusebox-Generation must be a decimal number");
  }
  return call;
}

Task<Result<base::json::Document>> AgentServer::Impl::read_json(AgentCall& call, std::uint64_t bytes_max) {
  std::string text;
  if (call.exchange.request().has_body) {
    auto body = co_await call.exchange.read_body(bytes_max);
    if (!body && body.error().code == Errc::exhausted)
      co_return fail_as(413, "the body is larger than " + std::to_string(bytes_max) + " bytes");
    if (!body) co_return fail_as(400, "the body is not what was declared: " + body.error().message);
    text = std::move(*body);
  }
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) text = "{}";
  auto document = base::json::parse(text, {.file = "body", .bytes_max = bytes_max, .pointers = false});
  if (!document) co_return fail_as(400, "invalid JSON: " + document.error().message);
  if (!document->root->is_object()) co_return fail_as(400, "invalid JSON: the body must be an object");
  co_return std::move(*document);
}

base::Error AgentServer::Impl::guest_error(base::Error error, const VmGates::Pass& pass, const std::string& vm) const {
  if (error.code == Errc::stopped && pass.stop().stop_requested())
    return {Errc::exists, "vm " + vm + " is being destroyed", {}, nullptr};
  return error;
}

Task<AgentAnswer> AgentServer::Impl::dispatch(http::Exchange& exchange, std::string& route_name) {
  const http::ServerRequest& request = exchange.request();
  const auto match = router.match(request.method, request.path());
  const Route run = match.route != nullptr ? table()[match.route->id].run : nullptr;
  // Only the way an artifact is fetched has a key of its own.
  const bool by_grant = run == &Impl::artifact;
  if (!by_grant && !is_authorised(request)) co_return AgentAnswer(text_answer(401, "unauthorized"));
  if (run == nullptr) co_return AgentAnswer(text_answer(404, "not found"));
  route_name = match.route->method + " " + match.route->pattern;
  if (request.has_body && !request.content_length)
    co_return AgentAnswer(text_answer(411, "Content-Length is required"));
  auto call = call_of(exchange, match);
  if (!call) co_return std::unexpected(std::move(call).error());
  auto answer = co_await (this->*run)(*call);
  co_return answer;
}

Task<void> AgentServer::Impl::handle(http::Exchange& exchange) {
  const base::Nanos began = clock.monotonic();
  std::string route = "none";
  auto answer = co_await dispatch(exchange, route);
  int status = 200;
  if (!answer) {
    const base::Error& error = answer.error();
    const auto* failure = wire_failure(error);
    status = failure != nullptr && failure->status >= 400 ? failure->status : status_of(error.code);
    if (error.name == kTooLarge) status = 413;
    if (status == 412) metrics.stale_generation();
    answer = text_answer(status, status == 412 ? "stale generation" : error.message);
  }
  if (*answer) {
    status = (*answer)->status;
    if (!exchange.answered()) (void)co_await exchange.respond(std::move(**answer));
  }
  const base::Nanos span = clock.monotonic() - began;
  metrics.request(route, status, span);
  const std::string* id = exchange.request().find("x-request-id");
  logger.log(exchange.request().method == "GET" && status < 400 ? base::LogLevel::debug : base::LogLevel::info, "agent",
             "request",
             {{"route", std::string_view(route)},
              {"status", std::int64_t{status}},
              {"request_id", id != nullptr ? std::string_view(*id) : std::string_view()},
              {"duration_us", std::int64_t{std::chrono::floor<std::chrono::microseconds>(span).count()}}});
}

AgentServer::AgentServer(const AgentServerParts& parts, AgentServerOptions options)
    : impl_(std::make_unique<Impl>(parts, std::move(options))) {}
AgentServer::~AgentServer() = default;

Task<void> AgentServer::handle(http::Exchange& exchange) {
  return impl_->handle(exchange);
}
void AgentServer::stop() {
  impl_->stopping.request_stop();
}
Task<void> AgentServer::idle() {
  return impl_->background.all_ended();
}

}  // namespace fusebox::host
