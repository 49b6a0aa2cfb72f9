#include "fleet/api/streams/guest_agent.h"

#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api/frame/services.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {

namespace {

constexpr std::chrono::seconds kAgentLimit{150};  // contract 5.7, as the next
constexpr std::uint64_t kAgentReplyMax = 64u << 20;
constexpr std::chrono::seconds kStreamHandshake{15};  // contract 6.1
constexpr std::size_t kAgentTextMax = 512;            // contract 25 S8

http::AsyncClientOptions pinned(const Engine::GuestAgent& agent) {
  http::AsyncClientOptions options;
  options.tls.fingerprint_sha256 = agent.fingerprint_sha256;
  options.idle_max = 0;  // one call per client: the fingerprint is the client's
  return options;
}

http::AsyncRequest to_agent(const Engine::GuestAgent& agent, std::string method, std::string_view path,
                            std::string_view request_id) {
  http::AsyncRequest request;
  request.method = std::move(method);
  request.url = agent.url + std::string(path);
  request.headers.push_back({"Authorization", "Bearer " + agent.token});
  request.headers.push_back({"X-Request-ID", std::string(request_id)});
  request.limit = kAgentLimit;
  request.body_bytes_max = kAgentReplyMax;
  return request;
}

std::unexpected<base::Error> not_reached() {
  return refuse(503, "guest agent unreachable");
}

// Agents answer {"error":"..."} or {"error":{"message":"..."}}, or plain text.
std::string text_of(std::string_view body) {
  std::string text(body.substr(0, 64 * 1024));
  if (const auto document = base::json::parse(body, {.file = "reply", .pointers = false})) {
    const base::json::Node* error = document->root->find("error");
    if (error != nullptr && error->is_object()) error = error->find("message");
    if (error != nullptr && error->is_string()) text = error->string();
  }
  text = base::to_utf8(text);
  return std::string(base::utf8_prefix(text, kAgentTextMax));
}

}  // namespace

base::Error agent_refusal(int status, std::string_view body) {
  const std::string text = text_of(body);
  switch (status) {
    case 400:
      return refuse(400, text.empty() ? "guest agent: bad request" : text).error();
    case 503:
      return refuse(503, text.empty() ? "guest agent: not available" : text).error();
    case 401:
    case 403:
      return refuse(500, "guest agent refused the control plane's credentials: status " + std::to_string(status))
          .error();
    default:
      return refuse(500, "guest agent: status " + std::to_string(status) + ": " + text).error();
  }
}

base::Task<base::Result<AgentAnswer>> ask_agent(Call& call, std::string method, std::string path, std::string body) {
  const RequestInfo info = call.info();
  auto lease = co_await lease_guest({call.services.engine, call.home(), info, call.id()});
  if (!lease) co_return std::unexpected(std::move(lease.error()));
  auto agent = co_await call.services.engine.guest_agent(call.home(), info, call.id());
  if (!agent) co_return std::unexpected(std::move(agent.error()));
  http::AsyncRequest request = to_agent(*agent, std::move(method), path, call.request_id);
  if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  request.body = std::move(body);
  http::AsyncClient client(call.loop.loop, pinned(*agent));
  auto reply = co_await client.send(std::move(request));
  if (!reply) co_return not_reached();
  if (reply->status < 200 || reply->status > 299) {
    co_return std::unexpected(agent_refusal(reply->status, reply->body));
  }
  const std::string* type = reply->find("content-type");
  co_return AgentAnswer{std::move(reply->body), type != nullptr ? *type : "application/json"};
}

base::Task<base::Result<Desktop>> open_desktop(Call& call) {
  const RequestInfo info = call.info();
  auto lease = co_await lease_guest({call.services.engine, call.home(), info, call.id()});
  if (!lease) co_return std::unexpected(std::move(lease.error()));
  auto agent = co_await call.services.engine.guest_agent(call.home(), info, call.id());
  if (!agent) co_return std::unexpected(std::move(agent.error()));
  Desktop desktop;
  desktop.lease = std::move(*lease);
  desktop.client = std::make_unique<http::AsyncClient>(call.loop.loop, pinned(*agent));
  http::AsyncRequest request = to_agent(*agent, "GET", "/v1/computer/stream", call.request_id);
  request.limit = kStreamHandshake;
  auto upgraded = co_await desktop.client->upgrade(std::move(request), "fuse-vnc/1");
  if (!upgraded) co_return not_reached();
  if (upgraded->stream == nullptr) {
    co_return std::unexpected(agent_refusal(upgraded->head.status, upgraded->head.body));
  }
  desktop.stream = std::move(upgraded->stream);
  co_return desktop;
}

}  // namespace fusebox::fleet
