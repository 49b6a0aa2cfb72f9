// What the process says of itself, and browser sessions.
#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api/frame/body.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api_error.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::chrono::hours kSessionLife{7 * 24};  // contract 2.6
constexpr std::size_t kFailureBytesMax = 200;       // contract 4

std::string cookie(std::string_view value, std::string_view max_age, bool secure) {
  std::string text =
      "fuse_session=" + std::string(value) + "; Path=/; Max-Age=" + std::string(max_age) + "; HttpOnly; SameSite=Lax";
  if (secure) text += "; Secure";
  return text;
}

std::string short_failure(const std::string& failure) {
  const std::string text = base::to_utf8(failure.empty() ? "unavailable" : failure);
  const std::string_view prefix = base::utf8_prefix(text, kFailureBytesMax);
  return prefix.size() == text.size() ? text : std::string(prefix) + "…(truncated)";
}

}  // namespace

base::Task<Answer> health(Call&) {
  co_return json_reply(R"({"status":"ok"})");
}

base::Task<Answer> ready(Call& call) {
  Store& store = call.services.store;
  const StoreStatus status = co_await store.probe(call.home());
  const bool serving = status.healthy && !call.services.closing.load();
  base::json::Writer writer;
  writer.begin_object().key("status").string(serving ? "ready" : "not_ready").key("checks").begin_object();
  writer.key("state_store").string(status.healthy ? "ok" : short_failure(status.failure));
  writer.key("fleet").string(call.services.closing.load() ? "closing" : "ok");
  writer.key("leader").string(store.leader_word()).end_object().end_object();
  co_return json_reply(writer.take(), serving ? 200 : 503);
}

base::Task<Answer> version(Call& call) {
  const ApiOptions& options = call.services.options;
  base::json::Writer writer;
  writer.begin_object().key("service").string("fuse-orchestrator").key("version").string(options.version);
  writer.key("product").string("fusebox").key("product_version").string(options.product_version);
  writer.key("features").begin_array();
  for (const std::string& feature : options.features) writer.string(feature);
  writer.end_array().end_object();
  co_return json_reply(writer.take());
}

base::Task<Answer> metrics(Call& call) {
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  if (call.services.options.refresh_metrics) call.services.options.refresh_metrics();
  call.services.metrics.subscribers(call.services.events.subscribers());
  reply.body = call.services.metrics.text();
  co_return reply;
}

base::Task<Answer> openapi_json(Call& call) {
  Reply reply;
  reply.shared_body = call.services.openapi_json;
  co_return reply;
}

base::Task<Answer> openapi_yaml(Call& call) {
  Reply reply;
  reply.shared_body = call.services.openapi_yaml;
  reply.content_type = "application/yaml";
  co_return reply;
}

base::Task<Answer> login(Call& call) {
  const ApiOptions& options = call.services.options;
  if (options.master_token.empty()) co_return no_content();
  Authenticator& authenticator = call.services.authenticator;
  const http::ServerRequest& request = call.http.request();
  if (const int seconds = authenticator.shut_out(request); seconds > 0) {
    co_return refuse_for(seconds, "too many failed credentials from this address");
  }
  if (const int seconds = authenticator.admit_login(request); seconds > 0) {
    co_return refuse_for(seconds, "too many logins from this address");
  }
  auto body = co_await read_route_body(call.http, call.route);
  if (!body) co_return std::unexpected(std::move(body.error()));
  FB_CO_TRY(const std::string token, read_login(*body));
  if (!base::equal_constant_time(base::as_bytes(token), base::as_bytes(options.master_token))) {
    const int seconds = authenticator.refused(request, call.request_id, "login");
    if (seconds > 0) co_return refuse_for(seconds, "too many failed credentials from this address");
    co_return refuse(401, "invalid token");
  }
  const std::string value = new_session_value(call.services.random);
  LoginRow row;
  row.value_sha256 = secret_hash(value);
  row.created_at = call.services.clock.wall();
  row.expires_at = row.created_at + kSessionLife;
  FB_CO_CHECK(co_await call.services.store.write(call.home(), [&row](Tx& tx) -> base::Result<void> {
    tx.insert_login(row);
    return {};
  }));
  Reply reply = no_content();
  reply.headers.push_back({"Set-Cookie", cookie(value, "604800", options.secure_cookies)});
  co_return reply;
}

base::Task<Answer> logout(Call& call) {
  const std::string value = session_cookie(call.http.request());
  if (!value.empty()) {
    // Also when the store cannot take it now: the browser forgets the cookie, and the session ends by itself.
    const base::Bytes hash = secret_hash(value);
    const base::Nanos now = call.services.clock.wall();
    const auto revoked = co_await call.services.store.write(call.home(), [&hash, now](Tx& tx) -> base::Result<void> {
      tx.revoke_login(hash, now);
      return {};
    });
    (void)revoked;
  }
  Reply reply = no_content();
  reply.headers.push_back({"Set-Cookie", cookie("", "0", call.services.options.secure_cookies)});
  co_return reply;
}

}  // namespace fusebox::fleet::handle
