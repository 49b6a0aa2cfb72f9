#include "capability/http_gateway.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/json.h"
#include "capability/limits.h"
#include "policy/http_match.h"

namespace fusebox::capability {

using base::Errc;
using base::Nanos;
using policy::HttpUrl;

namespace {

using base::json::Writer;

std::string redacted(const HttpUrl& url) {
  return url.has_query ? url.text_without_query() + "?[redacted]" : url.text_without_query();
}

Ruling refuse(std::string reason) {
  return deny(Decision::denied_policy_violation, HostCode::policy_violation, std::move(reason));
}

Ruling over_quota(std::string reason) {
  return deny(Decision::denied_policy_violation, HostCode::limit, std::move(reason));
}

HostCode code_of(const base::Error& error) noexcept {
  if (error.name == "TIMEOUT") return HostCode::timeout;
  if (error.name == "CANCELLED") return HostCode::cancelled;
  if (error.name == "TOO_LARGE") return HostCode::too_large;
  if (error.code == Errc::invalid) return HostCode::argument_invalid;
  return HostCode::network;
}

// The second decision of a hop: over all addresses, because the connection may go to any of them (contract 10.1).
Ruling judge_addresses(const HttpUrl& url, const policy::HttpDecision& rules,
                       std::span<const http::IpAddress> addresses) {
  for (const http::IpAddress& address : addresses) {
    const std::string_view metadata = http::metadata_literal(address);
    if (!metadata.empty() && !(rules.private_literal && url.host == metadata))
      return refuse("the host " + url.host +
                    " is a cloud metadata service; only a rule with allow_private that names its address allows it");
    if (!http::is_public(address) && !rules.private_entry)
      return refuse("the host " + url.host +
                    " is at an address that is not public, and no rule with allow_private covers the request");
  }
  return {};
}

std::string response_json(const HttpUrl& url, const http::Response& response, const policy::HttpRules& rules) {
  Writer out;
  out.begin_object().key("status").integer(response.status).key("url").string(url.text()).key("headers").begin_array();
  for (const http::Header& header : response.headers) {
    const auto is_this = [&](const std::string& allowed) {
      return std::ranges::equal(allowed, header.name, {},
                                [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    };
    if (std::ranges::none_of(rules.response_headers, is_this)) continue;
    out.begin_array().string(header.name).string(header.value).end_array();
  }
  out.end_array();
  if (base::is_utf8(response.body))
    out.key("body").string(response.body);
  else
    out.key("body_base64").string(base::to_base64(base::as_bytes(response.body)));
  out.end_object();
  return out.take();
}

}  // namespace

// One http.request: its hops, one after the other.
class HttpExchange {
 public:
  HttpExchange(HttpGateway& gateway, HttpSession& session, const GatewayCall& call)
      : gateway_(gateway), rules_(gateway.rules_), session_(session), call_(call), start_(gateway.clock_.monotonic()) {}

  GatewayReply run(std::string_view request_json);

 private:
  GatewayReply refused(Ruling ruling, std::string_view check = "rules");
  GatewayReply failed(HostCode code, std::string reason);
  GatewayReply complete(GatewayReply reply);
  GatewayReply delivered(const http::Response& response);
  std::optional<GatewayReply> hop(http::Response& response);
  std::optional<GatewayReply> follow(const http::Response& response);
  Ruling judge(const policy::HttpDecision& decision);
  base::Result<std::vector<http::IpAddress>> addresses_of(const HttpUrl& url);
  Nanos time_left() const { return limit_ - (gateway_.clock_.monotonic() - start_); }
  std::string detail(std::string_view check) const;

  HttpGateway& gateway_;
  const policy::HttpRules& rules_;
  HttpSession& session_;
  const GatewayCall& call_;
  const Nanos start_;
  Nanos limit_{0};
  HttpCallRequest request_;
  std::uint64_t sent_ = 0;
  std::uint64_t redirects_ = 0;
  std::string redirect_target_;
  int status_ = 0;
  base::Sha256 request_hash_;
  std::size_t request_bytes_ = 0;
  std::string_view response_body_;
};

GatewayReply HttpGateway::request(std::string_view request_json, HttpSession& session, const GatewayCall& call) {
  return HttpExchange(*this, session, call).run(request_json);
}

GatewayReply HttpExchange::run(std::string_view request_json) {
  if (call_.stopped()) return failed(HostCode::cancelled, "the execution is being cancelled");
  if (!rules_.enabled)
    return refused(
        deny(Decision::denied_capability_disabled, HostCode::capability_disabled, "http.request is not enabled"));
  auto request = read_http_request(request_json, rules_);
  if (!request) return refused(std::move(request).error());
  request_ = std::move(*request);
  limit_ = std::min<Nanos>(call_.wall_left,
                           std::chrono::milliseconds(std::min<std::uint64_t>(rules_.timeout_ms, 24ull * 3600 * 1000)));
  if (request_.timeout) limit_ = std::min<Nanos>(limit_, *request_.timeout);
  request_hash_ = base::sha256(base::as_bytes(request_.body));
  request_bytes_ = request_.body.size();
  while (true) {
    http::Response response;
    if (auto end = hop(response)) return std::move(*end);
    if (rules_.max_redirects == 0 || !http::is_redirect(response.status) || response.find("location") == nullptr)
      return delivered(response);
    if (auto end = follow(response)) return std::move(*end);
  }
}

// Decides, resolves, decides again, sends. A reply when that is the end of it, nothing when `response` is there.
std::optional<GatewayReply> HttpExchange::hop(http::Response& response) {
  const policy::HttpDecision decision = policy::match_http(rules_, policy::request_view(request_.method, request_.url));
  Ruling ruling = judge(decision);
  if (!ruling.authorized()) return refused(std::move(ruling));
  call_.tell(ruling, detail("rules"));
  if (request_.body.size() > rules_.max_request_bytes)
    return failed(HostCode::too_large, "the request body has " + std::to_string(request_.body.size()) +
                                           " bytes; the limit is " + std::to_string(rules_.max_request_bytes));
  ++session_.requests;
  ++sent_;
  const auto addresses = addresses_of(request_.url);
  if (!addresses) return failed(code_of(addresses.error()), addresses.error().message);
  ruling = judge_addresses(request_.url, decision, *addresses);
  if (!ruling.authorized()) return refused(std::move(ruling), "addresses");
  call_.tell(ruling, detail("addresses"));
  if (time_left() <= Nanos::zero()) return failed(HostCode::timeout, "the time for the request is over");

  http::Request out;
  out.method = request_.method;
  const HttpUrl& url = request_.url;
  out.target = {url.scheme, url.host, url.port, url.has_query ? url.path + "?" + url.query : url.path};
  out.headers = request_.headers;
  out.body = request_.body;
  out.addresses = *addresses;
  out.time_limit = time_left();
  out.body_bytes_max = rules_.max_response_bytes;
  out.drop_redirect_body = rules_.max_redirects > 0;
  out.stop = call_.stop;
  auto answer = gateway_.client_.send(out);
  if (!answer) return failed(code_of(answer.error()), answer.error().message);
  response = std::move(*answer);
  status_ = response.status;
  response_body_ = response.body;
  if (call_.stopped()) return failed(HostCode::cancelled, "the execution is being cancelled");
  return std::nullopt;
}

// Makes the request of the next hop, or ends the call.
std::optional<GatewayReply> HttpExchange::follow(const http::Response& response) {
  response_body_ = {};
  auto target = resolve_location(request_.url, *response.find("location"));
  if (!target) return refused(refuse("the redirect leads to no acceptable URL: " + target.error().message));
  redirect_target_ = redacted(*target);
  if (++redirects_ > rules_.max_redirects)
    return refused(
        over_quota("there are more redirects than the " + std::to_string(rules_.max_redirects) + " of max_redirects"));
  if (request_.url.scheme == "https" && target->scheme != "https")
    return refused(refuse("the redirect leads from https to http, which is never followed"));
  request_ = redirected(std::move(request_), response.status, std::move(*target));
  return std::nullopt;
}

Ruling HttpExchange::judge(const policy::HttpDecision& decision) {
  if (!decision.allowed)
    return refuse(redirects_ == 0 ? decision.reason : "the redirect is not followed: " + decision.reason);
  if (session_.requests >= rules_.max_requests)
    return over_quota("this execution has made the " + std::to_string(rules_.max_requests) +
                      " requests of max_requests");
  if (!gateway_.rate_.take(gateway_.clock_.monotonic()))
    return over_quota("this sandbox has made the " + std::to_string(rules_.max_per_second) +
                      " requests of max_per_second");
  return {};
}

base::Result<std::vector<http::IpAddress>> HttpExchange::addresses_of(const HttpUrl& url) {
  if (const auto literal = http::IpAddress::parse(url.host)) return std::vector{*literal};
  return gateway_.resolver_.resolve(url.host, time_left(), call_.stop);
}

std::string HttpExchange::detail(std::string_view check) const {
  Writer out;
  out.begin_object().key("method").string(request_.method);
  // A refused redirect was never a request of ours; its target is what matters.
  const std::string url = redirect_target_.empty() ? redacted(request_.url) : redirect_target_;
  out.key("url").string(url).key("redirects").unsigned_integer(redirects_).key("check").string(check).end_object();
  return out.take();
}

GatewayReply HttpExchange::refused(Ruling ruling, std::string_view check) {
  call_.tell(ruling, request_.url.host.empty() ? std::string("{}") : detail(check));
  return complete(denied(std::move(ruling)));
}

GatewayReply HttpExchange::failed(HostCode code, std::string reason) {
  GatewayReply reply;
  reply.code = code;
  reply.reason = std::move(reason);
  return complete(std::move(reply));
}

GatewayReply HttpExchange::delivered(const http::Response& response) {
  GatewayReply reply;
  reply.output = response_json(request_.url, response, rules_);
  if (reply.output.size() > kOutputMax)
    return failed(HostCode::too_large, "the response is too large to be handed over");
  return complete(std::move(reply));
}

GatewayReply HttpExchange::complete(GatewayReply reply) {
  reply.duration = gateway_.clock_.monotonic() - start_;
  if (sent_ == 0) return reply;
  Writer out;
  out.begin_object().key("method").string(request_.method).key("url").string(redacted(request_.url));
  out.key("requests").unsigned_integer(sent_);
  if (status_ != 0) out.key("status").integer(status_);
  if (!redirect_target_.empty()) out.key("redirect_target").string(redirect_target_);
  out.key("request_bytes").unsigned_integer(request_bytes_).key("request_sha256").string(request_hash_.hex());
  if (status_ != 0) {
    out.key("response_bytes").unsigned_integer(response_body_.size());
    out.key("response_sha256").string(base::sha256(base::as_bytes(response_body_)).hex());
  }
  out.end_object();
  const std::string object = out.take();
  reply.facts = object.substr(1, object.size() - 2);
  return reply;
}

}  // namespace fusebox::capability
