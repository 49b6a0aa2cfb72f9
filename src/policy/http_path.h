// One spelling for every URL: what the rules of a policy and the requests of a guest are compared in.
//
// Contract capability.md 8.4 (host, path) and 10 (URL forms). The host function that sends requests must send exactly
// what these functions return, so that the checked URL and the requested one cannot differ.
// Threads  pure functions.
// Errors   `invalid`: the text is no acceptable URL, host or path (result -1 to a guest). `denied`: well formed, but of
// a
//          scheme that no rule can ever allow (result -5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::policy {

inline constexpr std::size_t kUrlBytesMax = 8192;  // what servers accept in a request line
inline constexpr std::size_t kHostBytesMax = 253;  // RFC 1035: the longest name
inline constexpr std::size_t kLabelBytesMax = 63;  // RFC 1035: the longest label

// The path of a URL, without query and fragment: percent-encoded unreserved characters decoded, the other escapes in
// upper case, bytes that need an escape escaped, then dot segments removed. "" becomes "/". Repeated '/' stay.
// Refused: '\', control characters, spaces, '?', '#', incomplete escapes, and %2f, %5c, %00 (servers disagree on them).
base::Result<std::string> normalise_path(std::string_view raw);

// A host name in lower case without its one trailing dot, or an address: IPv4 as four decimals, IPv6 without brackets
// in its shortest form. `raw` has brackets around an IPv6 address. Refused: anything that is neither.
base::Result<std::string> normalise_host(std::string_view raw);

// Whether a normalised host is an address and not a name.
bool is_ip_literal(std::string_view host) noexcept;

// A normalised host as it stands in a URL: IPv6 gets its brackets back.
std::string host_in_url(std::string_view host);

inline constexpr std::uint16_t kHttpPort = 80;
inline constexpr std::uint16_t kHttpsPort = 443;
// 443 for "https", 80 otherwise.
constexpr std::uint16_t default_port(std::string_view scheme) noexcept {
  return scheme == "https" ? kHttpsPort : kHttpPort;
}

// An absolute http or https URL in its one spelling.
struct HttpUrl {
  std::string scheme;      // "https", "http"
  std::string host;        // as normalise_host gives it
  std::uint16_t port = 0;  // never 0 after parsing
  std::string path;        // as normalise_path gives it
  bool has_query = false;  // "?" alone counts
  std::string query;       // without "?"; kept as written but for bytes that need an escape

  // "https://host[:port]/path[?query]"; the port only when it is not the scheme's own.
  std::string text() const;
  // The same without the query, which may hold secrets: for messages and audit records.
  std::string text_without_query() const;
  bool operator==(const HttpUrl&) const = default;
};

// Refused beside what the two above refuse: user information, port 0, more than kUrlBytesMax bytes, and %00 in the
// query. A fragment is dropped; it is never sent.
base::Result<HttpUrl> parse_http_url(std::string_view url);

}  // namespace fusebox::policy
