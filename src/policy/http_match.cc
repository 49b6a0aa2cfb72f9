#include "policy/http_match.h"

#include <algorithm>

#include "policy/text.h"

namespace fusebox::policy {
namespace {

// In the order in which a near miss is explained: the later the field that failed, the nearer the entry was.
enum class Field { host, scheme, port, method, path, query, none };

constexpr bool is_wildcard(std::string_view host) noexcept {
  return host.starts_with("*.");
}

// "*.example.com" matches names below, never the apex. Addresses never end in a wildcard's name: the reader refuses
// those.
bool host_matches(std::string_view pattern, std::string_view host) noexcept {
  if (!is_wildcard(pattern)) return pattern == host;
  const std::string_view below = pattern.substr(1);
  return host.size() > below.size() && host.ends_with(below);
}

// At segment borders: "/v1" covers "/v1" and "/v1/x", not "/v10"; "/v1/" covers what starts with it.
bool prefix_matches(std::string_view prefix, std::string_view path) noexcept {
  if (!path.starts_with(prefix)) return false;
  return prefix.ends_with('/') || path.size() == prefix.size() || path[prefix.size()] == '/';
}

bool path_matches(const HttpRule& rule, std::string_view path) noexcept {
  switch (rule.path_match) {
    case PathMatch::exact:
      return *rule.path == path;
    case PathMatch::prefix:
      return prefix_matches(*rule.path, path);
    case PathMatch::text_prefix:
      return path.starts_with(*rule.path);
  }
  return false;
}

bool has_method(const std::vector<std::string>& methods, std::string_view method) noexcept {
  return std::ranges::any_of(methods, [&](const std::string& m) { return m == method; });
}

Field first_mismatch(const HttpRule& rule, const HttpRequestView& request) noexcept {
  if (rule.host && !host_matches(*rule.host, request.host)) return Field::host;
  if (rule.scheme && *rule.scheme != request.scheme) return Field::scheme;
  if (rule.port && *rule.port != request.port) return Field::port;
  if (rule.methods && !has_method(*rule.methods, request.method)) return Field::method;
  if (rule.path && !path_matches(rule, request.path)) return Field::path;
  if (!rule.query && request.has_query) return Field::query;
  return Field::none;
}

std::string request_text(const HttpRequestView& request) {
  HttpUrl url{
      std::string(request.scheme), std::string(request.host), request.port, std::string(request.path), false, {}};
  return std::string(request.method) + " " + url.text_without_query();
}

std::string why_not(const HttpRules& rules, const HttpRequestView& request, std::size_t nearest, Field field) {
  const std::string what = request_text(request);
  if (rules.allow.empty()) return what + " is refused: the policy has no allow entry";
  const HttpRule& rule = rules.allow[nearest];
  const std::string entry = concat({"allow entry ", std::to_string(nearest)});
  switch (field) {
    case Field::host:
    case Field::none:
      break;
    case Field::scheme:
      return what + " is refused: " + entry + " allows this host by " + rule.scheme.value_or("") + " only";
    case Field::port:
      return what + " is refused: " + entry + " allows this host on port " + std::to_string(rule.port.value_or(0)) +
             " only";
    case Field::method:
      return what + " is refused: " + entry + " allows this host for " + join(*rule.methods, ",") + " only";
    case Field::path:
      return what + " is refused: no allow entry for this host covers the path";
    case Field::query:
      return what + " is refused: " + entry + " does not allow a query";
  }
  return what + " is refused: no allow entry names this host";
}

bool path_covers(const HttpRule& wide, const HttpRule& narrow) noexcept {
  const std::string_view outer = *wide.path;
  const std::string_view inner = *narrow.path;
  switch (wide.path_match) {
    case PathMatch::exact:
      return narrow.path_match == PathMatch::exact && outer == inner;
    case PathMatch::text_prefix:
      return inner.starts_with(outer);
    case PathMatch::prefix:
      break;
  }
  if (narrow.path_match != PathMatch::text_prefix) return prefix_matches(outer, inner);
  // A textual prefix goes on in the middle of a segment, so it must already be past the border.
  if (!inner.starts_with(outer)) return false;
  return outer.ends_with('/') || (inner.size() > outer.size() && inner[outer.size()] == '/');
}

bool host_covers(std::string_view wide, std::string_view narrow) noexcept {
  if (!is_wildcard(narrow)) return host_matches(wide, narrow);
  return wide == narrow || (is_wildcard(wide) && narrow.substr(1).ends_with(wide.substr(1)));
}

}  // namespace

bool matches(const HttpRule& rule, const HttpRequestView& request) noexcept {
  return first_mismatch(rule, request) == Field::none;
}

HttpDecision match_http(const HttpRules& rules, const HttpRequestView& request) {
  HttpDecision decision;
  for (std::size_t i = 0; i < rules.deny.size(); ++i) {
    if (!matches(rules.deny[i], request)) continue;
    decision.deny_entry = i;
    decision.reason = request_text(request) + " is refused by deny entry " + std::to_string(i);
    return decision;
  }
  std::size_t nearest = 0;
  Field nearest_field = Field::host;
  for (std::size_t i = 0; i < rules.allow.size(); ++i) {
    const HttpRule& rule = rules.allow[i];
    const Field field = first_mismatch(rule, request);
    if (field == Field::none) {
      if (!decision.allow_entry) decision.allow_entry = i;
      if (rule.allow_private) {
        if (!decision.private_entry) decision.private_entry = i;
        decision.private_literal = decision.private_literal || (rule.host && is_ip_literal(*rule.host));
      }
    } else if (field > nearest_field) {
      nearest = i;
      nearest_field = field;
    }
  }
  decision.allowed = decision.allow_entry.has_value();
  if (!decision.allowed) decision.reason = why_not(rules, request, nearest, nearest_field);
  return decision;
}

bool covers(const HttpRule& wide, const HttpRule& narrow) noexcept {
  if (wide.scheme && wide.scheme != narrow.scheme) return false;
  if (wide.port && wide.port != narrow.port) return false;
  if (wide.host && (!narrow.host || !host_covers(*wide.host, *narrow.host))) return false;
  if (wide.path && (!narrow.path || !path_covers(wide, narrow))) return false;
  if (!wide.query && narrow.query) return false;
  if (!wide.allow_private && narrow.allow_private) return false;
  if (!wide.methods) return true;
  return narrow.methods &&
         std::ranges::all_of(*narrow.methods, [&](const std::string& m) { return has_method(*wide.methods, m); });
}

std::string describe(const HttpRule& rule) {
  std::string out = rule.methods ? join(*rule.methods, ",") : "any method";
  out += concat({" ", rule.scheme ? std::string_view(*rule.scheme) : "any scheme", "://"});
  out += rule.host ? host_in_url(*rule.host) : std::string("any host");
  if (rule.port && (!rule.scheme || *rule.port != default_port(*rule.scheme)))
    out += concat({":", std::to_string(*rule.port)});
  if (!rule.path) return out + "/*";
  out += *rule.path;
  if (rule.path_match == PathMatch::text_prefix || (rule.path_match == PathMatch::prefix && rule.path->ends_with('/')))
    out += "*";
  else if (rule.path_match == PathMatch::prefix)
    out += "[/*]";
  if (!rule.query) out += " without a query";
  if (rule.allow_private) out += " (also at private addresses)";
  return out;
}

}  // namespace fusebox::policy
