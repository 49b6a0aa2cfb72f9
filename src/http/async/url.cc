#include "http/async/url.h"

#include <algorithm>
#include <charconv>

#include "http/address.h"
#include "http/message_head.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

Result<void> read_host(std::string_view text, Url& url) {
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return base::fail(Errc::invalid, "the URL's IPv6 address lacks its closing bracket");
    url.host = text.substr(1, text.size() - 2);
    const auto address = IpAddress::parse(url.host);
    if (!address || address->family != IpAddress::Family::v6)
      return base::fail(Errc::invalid, "the URL's host is no IPv6 address");
    return {};
  }
  for (const char c : text) url.host.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
  if (url.host.empty() || !std::ranges::all_of(url.host, is_host_character)) {
    return base::fail(Errc::invalid, "the URL has no usable host");
  }
  return {};
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  Url url;
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; })) {
    return base::fail(Errc::invalid, "the URL has characters that must be percent-encoded");
  }
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return base::fail(Errc::invalid, "the URL is not http:// or https://");
  const std::string_view scheme = text.substr(0, colon);
  url.https = same_text(scheme, "https");
  if (!url.https && !same_text(scheme, "http")) return base::fail(Errc::invalid, "the URL is not http:// or https://");
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));
  const std::size_t path = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, path);
  url.target = text.substr(path);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  if (authority.find('@') != std::string_view::npos) return base::fail(Errc::invalid, "the URL holds credentials");
  const std::uint16_t usual = url.https ? 443 : 80;
  url.port = usual;
  const std::size_t port = authority.rfind(':');
  if (port != std::string_view::npos && authority.find(']', port) == std::string_view::npos) {
    const char* const end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(authority.data() + port + 1, end, url.port);
    if (error != std::errc() || stop != end || url.port == 0)
      return base::fail(Errc::invalid, "the URL's port is not a number");
    authority = authority.substr(0, port);
  }
  FB_CHECK(read_host(authority, url));
  url.authority = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  if (url.port != usual) url.authority += ":" + std::to_string(url.port);
  return url;
}

}  // namespace fusebox::http
