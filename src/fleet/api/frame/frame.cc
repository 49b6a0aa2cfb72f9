#include "fleet/api/frame/frame.h"

#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api/frame/body.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet {

namespace {

std::string request_id_of(const http::ServerRequest& request, base::Random& random) {
  const std::string* given = request.find("x-request-id");
  return given != nullptr && is_plain_id(*given) ? *given : new_request_id(random);
}

base::Result<std::string> idempotency_key_of(const http::ServerRequest& request) {
  const std::string* key = request.find("idempotency-key");
  if (key == nullptr || key->empty()) return std::string();
  if (!is_plain_id(*key)) return refuse(400, "Idempotency-Key: must be 1 to 128 of letters, digits, _ and -");
  return *key;
}

}  // namespace

struct Frame::Passage {
  http::Exchange& exchange;
  LoopState& loop;
  http::Query query;
  Destination to;
  base::Nanos began{0};
  std::string request_id = {};
  bool is_open = false;
  const http::ServerRequest& request() const noexcept { return exchange.request(); }
};

RouteMap::RouteMap() {
  std::vector<http::Route> routes;
  for (const RouteSpec& route : route_table()) {
    std::size_t group = 0;
    while (group < groups_.size() &&
           (groups_[group].front()->pattern != route.pattern || groups_[group].front()->method != route.method)) {
      ++group;
    }
    if (group == groups_.size()) {
      groups_.emplace_back();
      routes.push_back({std::string(route.method), std::string(route.pattern), group});
    }
    groups_[group].push_back(&route);
  }
  router_.emplace(std::move(routes));
}

Destination RouteMap::find(const http::ServerRequest& request, const http::Query& query) const {
  http::Router::Match match = router_->match(request.method, request.path());
  Destination to;
  to.pattern = match.pattern;
  to.allow = std::move(match.allow);
  to.segments = std::move(match.values);
  if (match.route == nullptr) return to;
  const auto& group = groups_[match.route->id];
  const std::string_view action =
      group.size() == 1 && group.front()->action.empty() ? std::string_view() : query.get("action").value_or("");
  for (const RouteSpec* route : group) {
    if (route->action == action) to.route = route;
  }
  if (to.route == nullptr && group.front()->action.empty()) to.route = group.front();
  to.unknown_action = to.route == nullptr;
  // Hosts: who may not change one is not told which actions there are (contract 11.2).
  if (to.unknown_action && group.front()->act == Action::change_host) to.needs = Action::change_host;
  return to;
}

LoopState& Frame::loop_of(http::Exchange& exchange) const noexcept {
  for (const auto& loop : loops_) {
    if (&loop->loop == &exchange.executor()) return *loop;
  }
  return *loops_.front();  // never: the server runs on these loops
}

base::Task<void> Frame::serve(http::Exchange& exchange) {
  const http::ServerRequest& request = exchange.request();
  if (const auto clean = http::clean_path(request.path())) {
    http::ServerResponse moved;
    moved.status = 307;
    const std::string_view query = request.query();
    moved.headers.push_back({"Location", query.empty() ? *clean : *clean + '?' + std::string(query)});
    const auto sent = co_await exchange.respond(std::move(moved));
    (void)sent;
    co_return;
  }
  Passage passage{exchange, loop_of(exchange), http::Query(request.query()), {}, services_.clock.monotonic()};
  passage.to = routes_.find(request, passage.query);
  passage.is_open = passage.to.route != nullptr && passage.to.route->access == Access::open;
  if (passage.is_open) {
    Answer answer = co_await serve_open(passage);
    co_await send(passage, std::move(answer));
    co_return;
  }
  passage.request_id = request_id_of(request, services_.random);
  services_.metrics.begin();
  Answer answer = co_await pass(passage);
  co_await send(passage, std::move(answer));
}

base::Task<Answer> Frame::serve_open(Passage& passage) {
  const RouteId id = passage.to.route->id;
  // What tells of the inside is for listed and local callers alone (contract 2.5).
  if ((id == RouteId::metrics || id == RouteId::ready) && !services_.authenticator.is_local(passage.request())) {
    FB_CO_CHECK(check_address(passage));
  }
  PrincipalPtr principal;
  if (id == RouteId::metrics && services_.options.metrics_auth) {
    auto found = co_await authenticate(passage);
    if (!found) co_return std::unexpected(std::move(found.error()));
    principal = std::move(*found);
    FB_CO_CHECK(authorise(passage, *principal, Action::metrics));
  }
  co_return co_await run_handler(passage, std::move(principal));
}

base::Task<Answer> Frame::pass(Passage& passage) {
  FB_CO_CHECK(check_address(passage));
  const Destination& to = passage.to;
  const http::ServerRequest& request = passage.request();
  if (to.pattern.empty()) {
    co_return refuse(404, "route_not_found", "no such route: " + request.method + ' ' + base::to_utf8(request.path()),
                     {});
  }
  if (to.route == nullptr && !to.unknown_action) {
    co_return refuse(405, "method " + base::to_utf8(request.method) + " is not allowed here, only " + to.allow);
  }
  if (to.route != nullptr && to.route->access == Access::listed) co_return co_await run_handler(passage, nullptr);
  auto principal = co_await authenticate(passage);
  if (!principal) co_return std::unexpected(std::move(principal.error()));
  const auto needs = to.route != nullptr ? to.route->act : to.needs;
  if (needs) FB_CO_CHECK(authorise(passage, **principal, *needs));
  if (const int seconds = services_.authenticator.limit_rate((*principal)->id); seconds > 0) {
    co_return refuse_for(seconds, "too many requests of this caller");
  }
  if (to.route == nullptr) co_return refuse(400, "missing or unknown action query parameter");
  co_return co_await run_handler(passage, std::move(*principal));
}

base::Result<void> Frame::check_address(Passage& passage) {
  const auto refusal = services_.authenticator.check_address(passage.request());
  if (refusal.empty()) return {};
  services_.authenticator.rejected(passage.request(), passage.request_id);
  return refuse(403, "forbidden", refusal, {});
}

base::Task<base::Result<PrincipalPtr>> Frame::authenticate(Passage& passage) {
  Authenticator& authenticator = services_.authenticator;
  const http::ServerRequest& request = passage.request();
  if (const int seconds = authenticator.shut_out(request); seconds > 0) {
    co_return refuse_for(seconds, "too many failed credentials from this address");
  }
  PrincipalCache& cache = passage.loop.principals;
  PrincipalPtr known = authenticator.known(cache, request);
  if (known != nullptr) co_return known;
  auto found = co_await authenticator.look_up(cache, passage.exchange.executor(), request);
  if (!found && api_detail(found.error()).status == 401) {
    const bool shown = request.find("authorization") != nullptr;
    const int seconds = authenticator.refused(request, passage.request_id, shown ? "invalid" : "missing");
    if (seconds > 0) co_return refuse_for(seconds, "too many failed credentials from this address");
  }
  co_return found;
}

base::Result<void> Frame::authorise(Passage& passage, const Principal& principal, Action action) {
  const Scope scope = rule_of(action).scope;
  if (principal.scopes.has(scope)) return {};
  services_.authenticator.refused_scope(passage.request(), passage.request_id);
  return refuse(403, "unauthorized", refusal_text(action), Details{{"scope", std::string(to_string(scope))}});
}

base::Task<Answer> Frame::run_handler(Passage& passage, PrincipalPtr principal) {
  const RouteSpec& route = *passage.to.route;
  Call call{passage.exchange,
            route,
            std::move(passage.to.segments),
            std::move(passage.query),
            std::move(principal),
            passage.request_id,
            {},
            services_,
            passage.loop,
            {}};
  if (route.access == Access::caller) {
    auto body = co_await read_route_body(passage.exchange, route);
    if (!body) co_return std::unexpected(std::move(body.error()));
    call.body = std::move(*body);
    if (route.idempotent) {
      FB_CO_TRY(call.idempotency_key, idempotency_key_of(passage.request()));
    }
  }
  const RouteHandler handler = handler_of(route.id);
  Answer answer = co_await handler(call);
  if (!call.segments.empty()) passage.to.segments = std::move(call.segments);  // for the log line
  co_return answer;
}

base::Task<void> Frame::send(Passage& passage, Answer answer) {
  const bool sent_itself = answer && answer->sent;
  http::ServerResponse response;
  if (answer && !sent_itself) {
    response.status = answer->status;
    response.headers = std::move(answer->headers);
    response.shared_body = std::move(answer->shared_body);
    response.body = std::move(answer->body);
    const bool has_body = response.shared_body != nullptr || !response.body.empty();
    if (has_body && !answer->content_type.empty()) {
      response.headers.push_back({"Content-Type", std::string(answer->content_type)});
    }
  } else if (!answer) {
    const ApiErrorDetail detail = api_detail(answer.error());
    response.status = detail.status;
    response.body = error_envelope(answer.error());
    response.headers.push_back({"Content-Type", "application/json"});
    if (detail.retry_after_seconds > 0) {
      response.headers.push_back({"Retry-After", std::to_string(detail.retry_after_seconds)});
    }
    if (detail.status == 405) response.headers.push_back({"Allow", passage.to.allow});
  }
  const int status = sent_itself ? passage.to.route->success : response.status;
  if (!sent_itself && !passage.exchange.answered()) {
    if (!passage.request_id.empty()) response.headers.push_back({"X-Request-ID", passage.request_id});
    const auto sent = co_await passage.exchange.respond(std::move(response));
    (void)sent;  // a client that went away has no use for an answer
  }
  if (!passage.is_open) note(passage, status);
}

void Frame::note(const Passage& passage, int status) const {
  const http::ServerRequest& request = passage.request();
  const base::Nanos took = services_.clock.monotonic() - passage.began;
  const std::string_view pattern = passage.to.pattern;
  services_.metrics.end(passage.to.route, pattern, request.method, status, took);
  const bool writes = request.method != "GET" && request.method != "HEAD";
  const base::LogLevel level = writes || status >= 400 ? base::LogLevel::info : base::LogLevel::debug;
  const bool of_environment = pattern.starts_with("/v1/environments/{vmId}") && !passage.to.segments.empty();
  services_.logger.log(level, "api", "request",
                       {{"request_id", std::string_view(passage.request_id)},
                        {"method", std::string_view(request.method)},
                        {"route", pattern.empty() ? std::string_view("unknown") : pattern},
                        {"action", passage.to.route != nullptr ? passage.to.route->action : std::string_view()},
                        {"vm_id", of_environment ? std::string_view(passage.to.segments.front()) : std::string_view()},
                        {"status", static_cast<std::int64_t>(status)},
                        {"duration_us", static_cast<std::int64_t>(took.count() / 1000)}});
}

}  // namespace fusebox::fleet
