// Whether HTTP rules allow a request: deny entries first, then allow entries; no entry, no request.
//
// Contract capability.md 8.4 and 9: a pure function of request and rules. Counters, sizes and the check of resolved
// addresses belong to the host function.
// Threads  pure functions. About 0.4 us for ten entries; a refusal also writes its sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/http_path.h"
#include "policy/policy.h"

namespace fusebox::policy {

// A request in normalised form (http_path.h).
struct HttpRequestView {
  std::string_view method;  // upper case; compared exactly
  std::string_view scheme;
  std::string_view host;
  std::uint16_t port = 0;
  std::string_view path;
  bool has_query = false;
};

inline HttpRequestView request_view(std::string_view method, const HttpUrl& url) noexcept {
  return {method, url.scheme, url.host, url.port, url.path, url.has_query};
}

struct HttpDecision {
  bool allowed = false;
  std::optional<std::size_t> allow_entry;  // the first allow entry that matches
  std::optional<std::size_t> deny_entry;   // the deny entry that refused
  // The first matching allow entry with allow_private: non-public addresses may be contacted for this request.
  std::optional<std::size_t> private_entry;
  // The metadata addresses need an entry that names the address itself (contract 10.1): true when private_entry or a
  // later matching entry with allow_private has the request's host as a literal address.
  bool private_literal = false;
  std::string reason;  // one sentence, "" when allowed; names no query
};

// `enabled` is not looked at: the gate has done that.
HttpDecision match_http(const HttpRules& rules, const HttpRequestView& request);

// Whether one entry matches, all fields together.
bool matches(const HttpRule& rule, const HttpRequestView& request) noexcept;

// Whether every request that `narrow` matches is matched by `wide` too, allow_private included.
bool covers(const HttpRule& wide, const HttpRule& narrow) noexcept;

// "GET,HEAD https://api.example.com/v1/*": one entry for a person. Absent fields of a deny entry read "any".
std::string describe(const HttpRule& rule);

}  // namespace fusebox::policy
