#include "image/registry/url.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "http/address.h"

namespace fusebox::image::registry {
namespace {

std::unexpected<base::Error> bad_url(std::string_view text) {
  return base::fail(base::Errc::invalid, "the registry sent an address that cannot be used: " + base::in_quotes(text),
                    "BAD_RESPONSE");
}

bool is_host_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool is_host(std::string_view host) noexcept {
  if (const auto address = http::IpAddress::parse(host)) return true;
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, is_host_byte);
}

}  // namespace

std::uint16_t default_port(std::string_view scheme) noexcept {
  return scheme == "http" ? 80 : 443;
}

bool is_this_machine(std::string_view host) noexcept {
  if (host == "localhost") return true;
  const auto address = http::IpAddress::parse(host);
  return address && http::non_public_range(*address) == "loopback";
}

base::Result<Authority> parse_authority(std::string_view text) {
  Authority out;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return bad_url(text);
    out.host = lower_case(text.substr(1, end - 1));
    port = text.substr(end + 1);
  } else {
    const std::size_t colon = text.find(':');
    out.host = lower_case(text.substr(0, colon));
    if (colon != text.npos) port = text.substr(colon);
  }
  if (!is_host(out.host)) return bad_url(text);
  if (port.empty()) return out;
  const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), out.port);
  const bool whole = port.starts_with(':') && error == std::errc{} && end == port.data() + port.size();
  if (!whole || out.port == 0) return bad_url(text);
  return out;
}

base::Result<http::Target> parse_url(std::string_view text, const http::Target& from) {
  http::Target out = from;
  if (text.starts_with('/') && !text.starts_with("//")) {
    out.path_and_query = text;
    return out;
  }
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == text.npos) return bad_url(text);
  out.scheme = lower_case(text.substr(0, scheme_end));
  if (out.scheme != "https" && out.scheme != "http") return bad_url(text);
  const std::string_view rest = text.substr(scheme_end + 3);
  const std::size_t path = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, path);
  if (authority.find('@') != authority.npos || rest.find('#') != rest.npos) return bad_url(text);
  const auto parsed = parse_authority(authority);
  if (!parsed) return bad_url(text);
  out.host = parsed->host;
  out.port = parsed->port != 0 ? parsed->port : default_port(out.scheme);
  out.path_and_query = path == rest.npos ? "/" : std::string(rest.substr(path));
  if (out.path_and_query.starts_with('?')) out.path_and_query.insert(0, "/");
  return out;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      out += c;
    else
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

std::string with_parameter(std::string path_and_query, std::string_view name, std::string_view value) {
  path_and_query += path_and_query.find('?') == std::string::npos ? '?' : '&';
  return path_and_query.append(name).append("=").append(percent_encoded(value));
}

}  // namespace fusebox::image::registry
