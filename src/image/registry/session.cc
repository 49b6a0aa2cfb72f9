#include "image/registry/session.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "image/registry/limits.h"
#include "image/registry/url.h"

namespace fusebox::image::registry {
namespace {

using base::Errc;
using http::Response;
using http::Target;

// The registry's own words about a refusal, "" where it has none.
std::string reason_of(const Response& response) {
  const auto document = base::json::parse(response.body);
  const base::json::Node* errors = document ? document->root->find("errors") : nullptr;
  if (errors == nullptr || errors->elements().empty()) return {};
  const base::json::Node& first = errors->elements().front();
  const base::json::Node* message = first.find("message");
  const base::json::Node* code = first.find("code");
  const base::json::Node* words = message != nullptr && message->is_string() ? message : code;
  return words != nullptr && words->is_string() ? ": " + base::in_quotes(words->string()) : std::string();
}

Errc code_of(int status) noexcept {
  if (status == 401 || status == 403) return Errc::denied;
  if (status == 404) return Errc::not_found;
  if (status == 429 || status >= 500) return Errc::unavailable;
  return Errc::io;
}

}  // namespace

Session::Session(http::Client& client, http::Resolver& resolver, RemoteReference remote, bool push,
                 SessionOptions options)
    : client_(client), resolver_(resolver), remote_(std::move(remote)), push_(push), options_(std::move(options)) {}

std::unexpected<base::Error> Session::refusal(std::string_view step, const Response& response) {
  const std::string hint = response.status == 401 ? "; give --username and --password-stdin" : "";
  return base::fail(code_of(response.status), std::string(step) + ": the registry answers " +
                                                  std::to_string(response.status) + reason_of(response) + hint);
}

Target Session::target_of(std::string_view path) const {
  return {remote_.scheme, remote_.host, remote_.port, "/v2/" + remote_.repository + "/" + std::string(path)};
}

bool Session::is_home(const Target& target) const noexcept {
  return target.scheme == remote_.scheme && target.host == remote_.host && target.port == remote_.port;
}

base::Result<std::vector<http::IpAddress>> Session::addresses_of(const std::string& host) {
  if (const auto address = http::IpAddress::parse(host)) return std::vector{*address};
  return base::within(host, resolver_.resolve(host, kAnswerTimeMax, options_.stop));
}

base::Result<Response> Session::send_once(const Exchange& exchange, const Target& target, bool authorized) {
  FB_TRY(const auto addresses, addresses_of(target.host));
  http::Request request;
  request.method = exchange.method;
  request.target = target;
  request.headers = exchange.headers;
  if (authorized && !authorization_.empty()) request.headers.push_back({"Authorization", authorization_});
  request.addresses = addresses;
  request.time_limit = exchange.large ? base::Nanos(kTransferTimeMax) : base::Nanos(kAnswerTimeMax);
  request.stall_limit = kStallTimeMax;
  request.body_bytes_max = exchange.answer_bytes_max;
  request.drop_redirect_body = true;
  request.sink = exchange.sink;
  request.stop = options_.stop;
  base::ByteView left = exchange.body;
  const http::BodySource source{exchange.body.size(), [&](std::span<char> into) -> base::Result<std::size_t> {
                                  const std::size_t count = std::min(into.size(), left.size());
                                  std::ranges::copy(base::as_text(left.first(count)), into.data());
                                  left = left.subspan(count);
                                  if (exchange.sent) exchange.sent(exchange.body.size() - left.size());
                                  return count;
                                }};
  if (!exchange.body.empty()) request.source = &source;
  return base::within(remote_.authority(), client_.send(request));
}

base::Result<Response> Session::follow(const Exchange& exchange, Target target) {
  const bool may_follow = exchange.method == "GET" || exchange.method == "HEAD";
  for (int hop = 0; hop <= kRedirectsMax; ++hop) {
    FB_TRY(Response response, send_once(exchange, target, is_home(target)));
    const std::string* location = response.find("location");
    if (!may_follow || !http::is_redirect(response.status) || location == nullptr) return response;
    FB_TRY(Target next, parse_url(*location, target));
    if (target.scheme == "https" && next.scheme != "https")
      return base::fail(Errc::denied, remote_.authority() + ": a redirect leads from https to plain http");
    target = std::move(next);
  }
  return base::fail(Errc::invalid, remote_.authority() + ": more than " + std::to_string(kRedirectsMax) + " redirects",
                    "BAD_RESPONSE");
}

base::Result<Response> Session::send(const Exchange& exchange) {
  const Target target = exchange.target ? *exchange.target : target_of(exchange.path);
  FB_TRY(Response response, follow(exchange, target));
  if (response.status != 401 || !is_home(target)) return response;
  // Once: a token that is refused at once will be refused again.
  const std::string before = authorization_;
  FB_CHECK(authorize(response));
  if (authorization_.empty() || authorization_ == before) return response;
  return follow(exchange, target);
}

base::Result<Response> Session::expect(std::initializer_list<int> statuses, std::string_view step,
                                       const Exchange& exchange) {
  FB_TRY(Response response, send(exchange));
  if (std::ranges::find(statuses, response.status) != statuses.end()) return response;
  return refusal(step, response);
}

base::Result<void> Session::authorize(const Response& refused) {
  const std::string* header = refused.find("www-authenticate");
  const auto challenge = header == nullptr ? std::nullopt : parse_challenge(*header);
  if (!challenge) return {};
  if (challenge->scheme == "basic") {
    if (options_.credentials) authorization_ = options_.credentials->basic();
    return {};
  }
  FB_TRY(const std::string token, fetch_token(*challenge));
  authorization_ = "Bearer " + token;
  return {};
}

base::Result<std::string> Session::fetch_token(const Challenge& challenge) {
  const auto parameter = [&](const std::string& name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
  };
  FB_TRY(Target target, parse_url(parameter("realm"), target_of("")));
  if (remote_.scheme == "https" && target.scheme != "https")
    return base::fail(Errc::denied, remote_.authority() + ": its token server is spoken to in plain http");
  std::string path = target.path_and_query;
  if (!parameter("service").empty()) path = with_parameter(path, "service", parameter("service"));
  const std::string scope = parameter("scope");
  path = with_parameter(path, "scope",
                        scope.empty() ? "repository:" + remote_.repository + (push_ ? ":pull,push" : ":pull") : scope);
  target.path_and_query = path;
  Exchange exchange;
  exchange.answer_bytes_max = kTokenBytesMax;
  if (options_.credentials) exchange.headers = {{"Authorization", options_.credentials->basic()}};
  FB_TRY(const Response response, send_once(exchange, target, false));
  if (response.status != 200) return refusal("token", response);
  const auto document = base::json::parse(response.body);
  for (const char* key : {"token", "access_token"}) {
    const base::json::Node* token = document ? document->root->find(key) : nullptr;
    if (token != nullptr && token->is_string() && !token->string().empty()) return token->string();
  }
  return base::fail(Errc::invalid, remote_.authority() + ": its token server sent no token", "BAD_RESPONSE");
}

}  // namespace fusebox::image::registry
