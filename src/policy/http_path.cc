#include "policy/http_path.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::Errc;
using base::fail;
using base::Result;

constexpr bool is_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// RFC 3986 2.3.
constexpr bool is_unreserved(char c) noexcept {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
// What may stand unescaped in a path segment beside the unreserved ones.
constexpr bool is_path_char(char c) noexcept {
  return is_unreserved(c) || std::string_view("!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}
constexpr bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(c);
  out += '%';
  out += kDigits[value >> 4];
  out += kDigits[value & 15];
}

// The byte an escape at the start of `text` stands for.
std::optional<char> escaped_byte(std::string_view text) noexcept {
  if (text.size() < 3) return std::nullopt;
  const int high = hex_value(text[1]);
  const int low = hex_value(text[2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

const char* refusal_of(char c) noexcept {
  if (c == '\\') return "contains '\\'; write '/'";
  if (c == ' ') return "contains a space; write %20";
  if (is_control(c)) return "contains a control character";
  return nullptr;
}

Result<std::string> decode_path(std::string_view raw) {
  std::string out;
  out.reserve(raw.size() + 1);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (const char* why = refusal_of(c)) return fail(Errc::invalid, std::string("the path ") + why);
    if (c == '?' || c == '#') return fail(Errc::invalid, std::string("the path contains '") + c + "'");
    if (c != '%') {
      if (is_path_char(c))
        out += c;
      else
        append_escape(out, c);
      continue;
    }
    const std::optional<char> byte = escaped_byte(raw.substr(i));
    if (!byte)
      return fail(Errc::invalid, "the path has a '%' without two hexadecimal digits; write %25 for the character");
    if (*byte == '/' || *byte == '\\' || *byte == '\0')
      return fail(Errc::invalid, "the path contains " + std::string(raw.substr(i, 3)) +
                                     "; servers disagree on what it means, so it is refused");
    if (is_unreserved(*byte))
      out += *byte;
    else
      append_escape(out, *byte);
    i += 2;
  }
  return out;
}

// RFC 3986 5.2.4 for a path that starts with '/'.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  std::size_t at = 0;
  while (at < path.size()) {
    std::size_t end = path.find('/', at + 1);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    const bool last = end == path.size();
    if (segment == "." || segment == "..") {
      if (segment == "..") out.resize(std::min(out.rfind('/'), out.size()));
      if (last) out += '/';
    } else {
      out.append(path.substr(at, end - at));
    }
    at = end;
  }
  return out.empty() ? std::string("/") : out;
}

bool is_numeric_label(std::string_view label) noexcept {
  if (label.empty()) return false;
  if (label.size() >= 2 && label[0] == '0' && lower(label[1]) == 'x')
    return std::ranges::all_of(label.substr(2), [](char c) { return hex_value(c) >= 0; });
  return std::ranges::all_of(label, is_digit);
}

// Four decimal numbers of 0..255 without leading zeros: the one form every resolver reads alike.
bool is_ipv4(std::string_view text) noexcept {
  int parts = 0;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.size() > 3 || !std::ranges::all_of(part, is_digit)) return false;
    if (part.size() > 1 && part[0] == '0') return false;
    int value = 0;
    for (const char c : part) value = value * 10 + (c - '0');
    if (value > 255) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

Result<std::string> normalise_ipv6(std::string_view inside) {
  std::array<unsigned char, 16> address{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::string copy(inside);
  if (copy.find('\0') != std::string::npos || inet_pton(AF_INET6, copy.c_str(), address.data()) != 1 ||
      inet_ntop(AF_INET6, address.data(), text.data(), text.size()) == nullptr)
    return fail(Errc::invalid, "the text in brackets is not an IPv6 address");
  return std::string(text.data());
}

Result<void> check_labels(std::string_view name) {
  if (name.size() > kHostBytesMax)
    return fail(Errc::invalid, "the host name has " + std::to_string(name.size()) + " bytes; the limit is " +
                                   std::to_string(kHostBytesMax));
  while (true) {
    const std::size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty()) return fail(Errc::invalid, "the host name has an empty label");
    if (label.size() > kLabelBytesMax)
      return fail(Errc::invalid, "a label of the host name has " + std::to_string(label.size()) +
                                     " bytes; the limit is " + std::to_string(kLabelBytesMax));
    if (label.front() == '-' || label.back() == '-')
      return fail(Errc::invalid, "a label of the host name starts or ends with '-'");
    if (dot == std::string_view::npos) return {};
    name.remove_prefix(dot + 1);
  }
}

Result<std::string> lower_host(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (const char c : raw) {
    if (static_cast<unsigned char>(c) >= 0x80)
      return fail(Errc::invalid, "the host is not ASCII; write international names in their xn-- form");
    if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')
      return fail(Errc::invalid, is_control(c) ? std::string("the host contains a control character")
                                               : std::string("the host contains '") + c + "'");
    out += lower(c);
  }
  return out;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint32_t value = 0;
  for (const char c : text) {
    if (!is_digit(c) || text.size() > 5) return fail(Errc::invalid, "the port is not a number of 1 to 65535");
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (value == 0 || value > 65535) return fail(Errc::invalid, "the port is not a number of 1 to 65535");
  return static_cast<std::uint16_t>(value);
}

Result<std::string> normalise_query(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (const char* why = refusal_of(c)) return fail(Errc::invalid, std::string("the query ") + why);
    if (c == '%' && escaped_byte(raw.substr(i)) == '\0') return fail(Errc::invalid, "the query contains %00");
    if (static_cast<unsigned char>(c) >= 0x80)
      append_escape(out, c);
    else
      out += c;
  }
  return out;
}

// Splits "host[:port]"; the host keeps its brackets.
Result<void> read_authority(std::string_view authority, HttpUrl& url) {
  if (authority.find('@') != std::string_view::npos)
    return fail(Errc::invalid, "the URL holds user information; pass credentials in a header");
  std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  if (colon != std::string_view::npos && bracket != std::string_view::npos && colon < bracket)
    colon = std::string_view::npos;
  FB_TRY(url.host, normalise_host(authority.substr(0, colon)));
  url.port = default_port(url.scheme);
  if (colon == std::string_view::npos || colon + 1 == authority.size()) return {};
  FB_TRY(url.port, parse_port(authority.substr(colon + 1)));
  return {};
}

}  // namespace

Result<std::string> normalise_path(std::string_view raw) {
  if (raw.size() > kUrlBytesMax)
    return fail(Errc::invalid,
                "the path has " + std::to_string(raw.size()) + " bytes; the limit is " + std::to_string(kUrlBytesMax));
  if (raw.empty()) return std::string("/");
  if (raw.front() != '/') return fail(Errc::invalid, "the path does not start with '/'");
  FB_TRY(const std::string decoded, decode_path(raw));
  return remove_dot_segments(decoded);
}

Result<std::string> normalise_host(std::string_view raw) {
  if (raw.size() >= 2 && raw.front() == '[' && raw.back() == ']') return normalise_ipv6(raw.substr(1, raw.size() - 2));
  FB_TRY(std::string host, lower_host(raw));
  if (!host.empty() && host.back() == '.') host.pop_back();
  if (host.empty()) return fail(Errc::invalid, "the host is empty");
  FB_CHECK(check_labels(host));
  const std::size_t dot = host.rfind('.');
  const std::string_view last = std::string_view(host).substr(dot == std::string::npos ? 0 : dot + 1);
  if (is_numeric_label(last) && !is_ipv4(host))
    return fail(Errc::invalid,
                "the host \"" + host + "\" looks like an IPv4 address; write it as four decimal numbers");
  return host;
}

bool is_ip_literal(std::string_view host) noexcept {
  return host.find(':') != std::string_view::npos || is_ipv4(host);
}

std::string host_in_url(std::string_view host) {
  if (host.find(':') == std::string_view::npos) return std::string(host);
  return concat({"[", host, "]"});
}

std::string HttpUrl::text_without_query() const {
  std::string out = scheme + "://" + host_in_url(host);
  if (port != default_port(scheme)) out += concat({":", std::to_string(port)});
  return out + path;
}

std::string HttpUrl::text() const {
  return has_query ? text_without_query() + "?" + query : text_without_query();
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (text.size() > kUrlBytesMax)
    return fail(Errc::invalid,
                "the URL has " + std::to_string(text.size()) + " bytes; the limit is " + std::to_string(kUrlBytesMax));
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0)
    return fail(Errc::invalid, "the URL is not absolute; write https://host/path");
  HttpUrl url;
  for (const char c : text.substr(0, colon)) {
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
      return fail(Errc::invalid, "the URL does not start with a scheme; write https://host/path");
    url.scheme += lower(c);
  }
  if (url.scheme != "https" && url.scheme != "http")
    return fail(Errc::denied, "the scheme \"" + url.scheme + "\" can never be allowed; only https and http can");
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t path_at = std::min(rest.find_first_of("/?\\"), rest.size());
  FB_CHECK(read_authority(rest.substr(0, path_at), url));
  const std::size_t query_at = std::min(rest.find('?', path_at), rest.size());
  FB_TRY(url.path, normalise_path(rest.substr(path_at, query_at - path_at)));
  url.has_query = query_at < rest.size();
  if (url.has_query) {
    FB_TRY(url.query, normalise_query(rest.substr(query_at + 1)));
  }
  return url;
}

}  // namespace fusebox::policy
