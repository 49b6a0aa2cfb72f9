#include "capability/http_gateway_request.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::capability {

using base::Errc;
using base::Result;
using policy::HttpUrl;

namespace {

namespace json = base::json;

constexpr std::size_t kMethodBytesMax = 32;                   // the longest registered method has 17
constexpr std::size_t kHeadersMax = 64;                       // as many as the client sends
constexpr std::size_t kHeaderNameBytesMax = 256;              // names in use are below 64
constexpr std::size_t kHeaderValueBytesMax = 8192;            // what servers accept in one line
constexpr std::size_t kRequestJsonBytesMin = 1 << 20;         // room for everything beside the body
constexpr std::uint64_t kTimeoutMsMax = 24ull * 3600 * 1000;  // longer than any policy; keeps sums small

constexpr std::array<std::string_view, 6> kKeys = {"method", "url", "headers", "body", "body_base64", "timeout_ms"};

// Never from a guest, whatever the policy lists: hop-by-hop headers (RFC 9110 7.6.1), what the client itself says, and
// accept-encoding, because compression is never asked for (contract section 10).
constexpr std::string_view kReservedHeaders[] = {
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
};

using Failure = std::unexpected<Ruling>;
using Read = std::expected<void, Ruling>;

Failure invalid(std::string reason) {
  return Failure(deny(Decision::denied_argument_invalid, HostCode::argument_invalid, std::move(reason)));
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || kOthers.contains(c);
  });
}

Read read_method(const json::Node& node, HttpCallRequest& request) {
  if (!node.is_string()) return invalid("\"method\" is not a string");
  const std::string& method = node.string();
  const bool upper_case = std::ranges::none_of(method, [](char c) { return c >= 'a' && c <= 'z'; });
  if (!is_token(method) || !upper_case || method.size() > kMethodBytesMax)
    return invalid("\"method\" is not an HTTP method in upper case");
  if (method == "CONNECT" || method == "TRACE") return invalid("the method " + method + " is never sent");
  request.method = method;
  return {};
}

Read read_url(const json::Node& node, HttpCallRequest& request) {
  if (!node.is_string()) return invalid("\"url\" is not a string");
  auto url = parse_guest_url(node.string());
  if (url) {
    request.url = std::move(*url);
    return {};
  }
  if (url.error().code != Errc::denied) return invalid("\"url\": " + url.error().message);
  return Failure(
      deny(Decision::denied_policy_violation, HostCode::policy_violation, "\"url\": " + url.error().message));
}

Read read_header(const json::Node& node, const policy::HttpRules& rules, HttpCallRequest& request) {
  const auto pair = node.elements();
  if (!node.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
    return invalid("an element of \"headers\" is not a list of a name and a value");
  const std::string& name = pair[0].string();
  const std::string& value = pair[1].string();
  if (!is_token(name) || name.size() > kHeaderNameBytesMax) return invalid("a request header has no valid name");
  std::string key = lower_case(name);
  if (std::ranges::find(kReservedHeaders, key) != std::end(kReservedHeaders))
    return invalid("the request header " + key + " is never taken from a guest");
  if (std::ranges::none_of(rules.request_headers,
                           [&](const std::string& allowed) { return equal_ignoring_case(allowed, key); }))
    return invalid("the request header " + key + " is not among the policy's request_headers");
  if (std::ranges::any_of(value,
                          [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }))
    return invalid("the value of the request header " + key + " contains a control character");
  if (value.size() > kHeaderValueBytesMax)
    return invalid("the value of the request header " + key + " has " + std::to_string(value.size()) +
                   " bytes; the limit is " + std::to_string(kHeaderValueBytesMax));
  request.headers.push_back({std::move(key), value});
  return {};
}

Read read_headers(const json::Node& node, const policy::HttpRules& rules, HttpCallRequest& request) {
  if (!node.is_array()) return invalid("\"headers\" is not a list");
  if (node.elements().size() > kHeadersMax)
    return invalid("there are " + std::to_string(node.elements().size()) + " request headers; the limit is " +
                   std::to_string(kHeadersMax));
  for (const json::Node& element : node.elements())
    if (auto read = read_header(element, rules, request); !read) return read;
  return {};
}

Read read_body(const json::Node& node, bool base64, HttpCallRequest& request) {
  if (!node.is_string()) return invalid(base64 ? "\"body_base64\" is not a string" : "\"body\" is not a string");
  if (!base64) {
    request.body = node.string();
    return {};
  }
  const auto bytes = base::from_base64(node.string());
  if (!bytes) return invalid("\"body_base64\" is not valid base64");
  request.body = base::as_text(*bytes);
  return {};
}

Read read_timeout(const json::Node& node, HttpCallRequest& request) {
  const auto ms = node.as_u64();
  if (!ms || *ms == 0) return invalid("\"timeout_ms\" is not a whole number above 0");
  request.timeout = std::chrono::milliseconds(std::min(*ms, kTimeoutMsMax));
  return {};
}

Read read_member(std::string_view key, const json::Node& node, const policy::HttpRules& rules,
                 HttpCallRequest& request) {
  if (key == "method") return read_method(node, request);
  if (key == "url") return read_url(node, request);
  if (key == "headers") return read_headers(node, rules, request);
  if (key == "timeout_ms") return read_timeout(node, request);
  return read_body(node, key == "body_base64", request);
}

bool is_disguised_dot_segment(std::string_view segment) noexcept {
  const std::size_t dots = std::min(segment.find_first_not_of('.'), segment.size());
  const std::string_view rest = segment.substr(dots);
  return (dots == 1 || dots == 2) && (rest.starts_with(';') || rest.starts_with("%3B"));
}

std::string origin_of(const HttpUrl& url) {
  HttpUrl bare = url;
  bare.path.clear();
  return bare.text_without_query();
}

bool has_scheme(std::string_view reference) noexcept {
  const std::size_t colon = reference.find(':');
  return colon != std::string_view::npos && colon != 0 && colon < reference.find_first_of("/?#");
}

}  // namespace

std::expected<HttpCallRequest, Ruling> read_http_request(std::string_view text, const policy::HttpRules& rules) {
  if (!base::is_utf8(text))
    return Failure(deny(Decision::denied_argument_invalid, HostCode::utf8_invalid, "the request is not valid UTF-8"));
  json::ParseOptions options;
  options.file = "request";
  options.pointers = false;
  // Every byte of a body may be written as an escape of six.
  options.bytes_max = kRequestJsonBytesMin + 6 * static_cast<std::size_t>(rules.max_request_bytes);
  const auto document = json::parse(text, options);
  if (!document) return invalid(document.error().message);
  const json::Node& root = *document->root;
  if (!root.is_object()) return invalid("the request is not a JSON object");
  HttpCallRequest request;
  // Form first, then what the policy refuses: a malformed request is malformed whatever its URL.
  std::optional<Ruling> refused;
  for (std::size_t i = 0; i < root.keys().size(); ++i) {
    const std::string& key = root.keys()[i];
    if (std::ranges::find(kKeys, key) == kKeys.end())
      return invalid("the request has the unknown key \"" + std::string(base::utf8_prefix(key, 64)) + "\"");
    const auto read = read_member(key, root.elements()[i], rules, request);
    if (read) continue;
    if (read.error().decision == Decision::denied_argument_invalid) return Failure(read.error());
    if (!refused) refused = read.error();
  }
  if (root.find("url") == nullptr) return invalid("the request has no \"url\"");
  if (root.find("body") != nullptr && root.find("body_base64") != nullptr)
    return invalid("the request has both \"body\" and \"body_base64\"");
  if (request.method == "HEAD" && !request.body.empty()) return invalid("a HEAD request has no body");
  if (refused) return Failure(std::move(*refused));
  return request;
}

Result<HttpUrl> parse_guest_url(std::string_view text) {
  FB_TRY(HttpUrl url, policy::parse_http_url(text));
  std::string_view rest = url.path;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (is_disguised_dot_segment(segment))
      return base::fail(Errc::invalid,
                        "the path has a dot segment with a parameter; servers disagree on what it means");
    rest.remove_prefix(segment.size());
  }
  return url;
}

Result<HttpUrl> resolve_location(const HttpUrl& base, std::string_view location) {
  const std::string_view reference = location.substr(0, location.find('#'));
  if (has_scheme(reference)) return parse_guest_url(reference);
  if (reference.empty()) return base;
  std::string text;
  if (reference.starts_with("//")) {
    text = base.scheme + ":";
  } else if (reference.starts_with('/')) {
    text = origin_of(base);
  } else if (reference.starts_with('?')) {
    text = base.text_without_query();
  } else {
    text = origin_of(base) + base.path.substr(0, base.path.rfind('/') + 1);
  }
  return parse_guest_url(text.append(reference));
}

HttpCallRequest redirected(HttpCallRequest request, int status, HttpUrl target) {
  const bool becomes_get =
      (status == 303 && request.method != "HEAD") || ((status == 301 || status == 302) && request.method == "POST");
  if (becomes_get) {
    request.method = "GET";
    request.body.clear();
    std::erase_if(request.headers, [](const http::Header& header) { return header.name.starts_with("content-"); });
  }
  const HttpUrl& from = request.url;
  if (from.scheme != target.scheme || from.host != target.host || from.port != target.port)
    std::erase_if(request.headers,
                  [](const http::Header& header) { return header.name == "authorization" || header.name == "cookie"; });
  request.url = std::move(target);
  return request;
}

}  // namespace fusebox::capability
