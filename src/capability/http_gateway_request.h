// A guest's http.request JSON, read and judged by form (contract capability.md 5.3 and 10), and where a redirect leads.
//
// Threads  pure functions.
// Errors   a denying Ruling: -1 for what is malformed, -2 for text that is not UTF-8, -5 for a scheme no rule can
// allow.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capability/decision.h"
#include "http/client.h"
#include "policy/http_path.h"
#include "policy/policy.h"

namespace fusebox::capability {

struct HttpCallRequest {
  std::string method = "GET";  // upper case
  policy::HttpUrl url;
  std::vector<http::Header> headers;
  std::string body;
  std::optional<std::chrono::milliseconds> timeout;
};

// Body size and policy are not judged here.
std::expected<HttpCallRequest, Ruling> read_http_request(std::string_view json, const policy::HttpRules& rules);

// policy::parse_http_url, and refused beside: path segments like "..;x", which some servers take for "..".
base::Result<policy::HttpUrl> parse_guest_url(std::string_view text);

// The URL a Location names, seen from `base` (RFC 3986 section 5.2).
base::Result<policy::HttpUrl> resolve_location(const policy::HttpUrl& base, std::string_view location);

// The request a redirect with this status asks for at `target`: method, body and headers as contract section 10 has
// them.
HttpCallRequest redirected(HttpCallRequest request, int status, policy::HttpUrl target);

}  // namespace fusebox::capability
