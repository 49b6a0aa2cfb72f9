#include "policy/http_rule.h"

#include <algorithm>

#include "policy/http_path.h"
#include "policy/limits.h"
#include "policy/load.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::Errc;
using base::fail;
using base::Result;

// RFC 9110 5.6.2.
bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos;
  });
}

std::string cased(std::string_view text, char from, char to, int shift) {
  std::string out(text);
  for (char& c : out)
    if (c >= from && c <= to) c = static_cast<char>(c + shift);
  return out;
}
std::string lower(std::string_view text) {
  return cased(text, 'A', 'Z', 'a' - 'A');
}
std::string upper(std::string_view text) {
  return cased(text, 'a', 'z', 'A' - 'a');
}

// "." and "..", also with escaped dots.
bool is_dot_segment(std::string_view segment) {
  std::string plain;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const bool escaped = lower(segment.substr(i, 3)) == "%2e";
    plain += escaped ? '.' : segment[i];
    if (escaped) i += 2;
  }
  return plain == "." || plain == "..";
}

Result<std::vector<std::string>> short_methods(std::string_view text, bool deny) {
  std::vector<std::string> methods;
  while (true) {
    const std::string_view method = text.substr(0, text.find(','));
    FB_CHECK(check_method(method, deny));
    if (std::ranges::find(methods, method) == methods.end()) methods.emplace_back(method);
    if (methods.size() > kMethodsMax) return fail(Errc::invalid, "the entry has more than 16 methods");
    if (method.size() == text.size()) return methods;
    text.remove_prefix(method.size() + 1);
  }
}

Result<void> short_authority(std::string_view text, HttpRule& rule) {
  if (text.find('@') != std::string_view::npos)
    return fail(Errc::invalid, "the entry holds user information; leave it out");
  const std::size_t bracket = text.rfind(']');
  std::size_t colon = text.rfind(':');
  if (bracket != std::string_view::npos && colon != std::string_view::npos && colon < bracket)
    colon = std::string_view::npos;
  FB_TRY(rule.host, rule_host(text.substr(0, colon)));
  rule.port = default_port(*rule.scheme);
  if (colon == std::string_view::npos) return {};
  // The port has the same form in every URL; a plain host stands in for patterns, which are no URL.
  FB_TRY(const HttpUrl url, parse_http_url(concat({*rule.scheme, "://host:", text.substr(colon + 1), "/"})));
  rule.port = url.port;
  return {};
}

}  // namespace

Result<std::string> rule_host(std::string_view text) {
  if (text == "*")
    return fail(Errc::invalid, "\"*\" would be every host; list the hosts, or \"*.example.com\" for names below one");
  if (text.find(':') != std::string_view::npos && !text.starts_with('['))
    return fail(Errc::invalid, "the host contains ':'; the port is written apart, and an IPv6 address in brackets");
  if (!text.starts_with("*.")) return normalise_host(text);
  FB_TRY(const std::string below, normalise_host(text.substr(2)));
  if (is_ip_literal(below)) return fail(Errc::invalid, "an address has no names below it; write it without \"*.\"");
  return concat({"*.", below});
}

Result<std::string> rule_path(std::string_view text, PathMatch match) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (is_dot_segment(segment))
      return fail(Errc::invalid, concat({"the path ", in_quotes(text), " has a segment ", in_quotes(segment),
                                         "; write the path it leads to"}));
    rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
  }
  if (text.empty() && match == PathMatch::text_prefix) return std::string("/");
  return normalise_path(text);
}

Result<void> check_method(std::string_view method, bool deny) {
  if (!is_token(method) || method.size() > kMethodBytesMax)
    return fail(Errc::invalid, concat({in_quotes(method.substr(0, kMethodBytesMax)), " is not an HTTP method"}));
  if (const std::string big = upper(method); big != method)
    return fail(Errc::invalid, concat({"the method ", in_quotes(method), " must be written ", in_quotes(big)}));
  if (!deny && (method == "CONNECT" || method == "TRACE"))
    return fail(Errc::invalid, concat({"the method ", method, " cannot be allowed; no guest may send it"}));
  return {};
}

Result<std::string> header_name(std::string_view text) {
  if (!is_token(text)) return fail(Errc::invalid, concat({in_quotes(text), " is not a header name"}));
  return lower(text);
}

Result<HttpRule> short_rule(std::string_view text, bool deny) {
  const std::size_t space = text.find(' ');
  const std::size_t scheme_end = text.find("://");
  if (space == std::string_view::npos || scheme_end == std::string_view::npos || scheme_end < space)
    return fail(Errc::invalid, concat({"the entry ", in_quotes(text.substr(0, 200)),
                                       " must look like \"GET,POST https://host/path*\""}));
  if (text.size() > kUrlBytesMax) return fail(Errc::invalid, "the entry is longer than 8192 bytes");
  HttpRule rule;
  FB_TRY(rule.methods, short_methods(text.substr(0, space), deny));
  const std::size_t scheme_at = std::min(text.find_first_not_of(' ', space), scheme_end);
  rule.scheme = lower(text.substr(scheme_at, scheme_end - scheme_at));
  if (rule.scheme != "https" && rule.scheme != "http")
    return fail(Errc::invalid,
                concat({"the scheme ", in_quotes(*rule.scheme), " cannot be allowed; only https and http can"}));
  const std::string_view rest = text.substr(scheme_end + 3);
  const std::size_t path_at = std::min(rest.find_first_of("/?#\\"), rest.size());
  FB_CHECK(short_authority(rest.substr(0, path_at), rule));
  std::string_view path = rest.substr(path_at);
  rule.path_match = path.ends_with('*') ? PathMatch::text_prefix : PathMatch::exact;
  if (rule.path_match == PathMatch::text_prefix) path.remove_suffix(1);
  FB_TRY(rule.path, rule_path(path, rule.path_match));
  return rule;
}

Result<HttpRule> parse_http_entry(std::string_view text) {
  return short_rule(text, false);
}

}  // namespace fusebox::policy
