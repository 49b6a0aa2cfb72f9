#include "fleet/api/frame/call.h"

#include <utility>

#include "base/crypto.h"
#include "base/json.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {

namespace {

// What two bodies that mean the same have in common: the canonical JSON of a text that is JSON, else the text.
base::Bytes canonical_hash(std::string_view body) {
  std::string canonical(body);
  if (const auto document = base::json::parse(body, {.file = "body", .pointers = false})) {
    canonical = base::json::canonical(*document->root);
  }
  const base::Sha256 hash = base::sha256(base::as_bytes(canonical));
  return {hash.bytes.begin(), hash.bytes.end()};
}

bool prefers_async(const http::ServerRequest& request) {
  const std::string* prefer = request.find("prefer");
  return prefer != nullptr && prefer->find("respond-async") != std::string::npos;
}

}  // namespace

Caller Call::caller() const {
  return {principal->id, principal->tenant, principal->layer_scope};
}

RequestInfo Call::info() const {
  RequestInfo info;
  info.caller = caller();
  info.request_id = request_id;
  const http::ServerRequest& request = http.request();
  info.route = request.method + ' ' + std::string(request.path());
  if (!route.action.empty()) info.route.append("?action=").append(route.action);
  info.idempotency_key = idempotency_key;
  if (!idempotency_key.empty()) info.body_hash = canonical_hash(body.empty() ? "{}" : body);
  info.respond_async = route.async && prefers_async(request);
  return info;
}

std::string Call::text(std::string_view name) const {
  return std::string(query.get(name).value_or(""));
}

std::optional<std::string> Call::maybe(std::string_view name) const {
  const auto value = query.get(name);
  if (!value || value->empty()) return {};
  return std::string(*value);
}

bool Call::flag(std::string_view name) const {
  const auto value = query.get(name);
  return value && (*value == "1" || *value == "true");
}

http::ServerResponse Call::stream_head(std::string_view content_type) const {
  http::ServerResponse head;
  head.headers.push_back({"Content-Type", std::string(content_type)});
  head.headers.push_back({"X-Request-ID", request_id});
  return head;
}

std::unexpected<base::Error> refuse_for(int seconds, std::string message) {
  auto refusal = refuse(429, std::move(message));
  auto detail = std::make_shared<ApiErrorDetail>(api_detail(refusal.error()));
  detail->retry_after_seconds = seconds;
  refusal.error().detail = std::move(detail);
  return refusal;
}

Reply json_reply(std::string json, int status) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(json);
  if (!reply.body.ends_with('\n')) reply.body += '\n';
  return reply;
}

Reply no_content() {
  Reply reply;
  reply.status = 204;
  return reply;
}

Reply sent_reply() {
  Reply reply;
  reply.sent = true;
  return reply;
}

Reply reply_of(Outcome outcome) {
  Reply reply = outcome.json.empty() ? Reply{} : json_reply(std::move(outcome.json));
  reply.status = outcome.status;
  if (!outcome.location.empty()) reply.headers.push_back({"Location", std::move(outcome.location)});
  if (outcome.replayed) reply.headers.push_back({"Idempotency-Replayed", "true"});
  if (outcome.status == 503) reply.headers.push_back({"Retry-After", "1"});  // a refusal that was kept
  return reply;
}

}  // namespace fusebox::fleet
