#include "http/async/proxy_rules.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "http/message_head.h"
#include "http/server/router.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;

std::optional<int> number(std::string_view text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > most) return {};
  return value;
}

// "http://user:password@host:port", or without the scheme as many write it.
Result<std::optional<Proxy>> parse_proxy(std::string_view text) {
  if (text.empty()) return std::optional<Proxy>();
  std::string url(text);
  if (url.find("://") == std::string::npos) url.insert(0, "http://");
  const std::size_t authority = url.find("://") + 3;
  const std::size_t at = url.rfind('@', url.find_first_of("/?#", authority));
  std::string credentials;
  if (at != std::string::npos && at >= authority) {
    credentials = url.substr(authority, at - authority);
    url.erase(authority, at + 1 - authority);
  }
  const Result<Url> parsed = parse_url(url);
  if (!parsed || parsed->https) return base::fail(Errc::invalid, "the proxy is not an http:// URL");
  Proxy proxy{parsed->host, parsed->port, {}};
  if (!credentials.empty()) {
    const std::optional<std::string> plain = percent_decode(credentials);
    if (!plain) return base::fail(Errc::invalid, "the proxy's credentials are not percent-encoded");
    proxy.authorization = "Proxy-Authorization: Basic " + base::to_base64(std::as_bytes(std::span(*plain))) + "\r\n";
  }
  return proxy;
}

bool in_network(const IpAddress& address, const IpAddress& network, int bits) noexcept {
  if (address.family != network.family) return false;
  for (std::size_t i = 0; i < address.bytes.size() && bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xff : 0xff << (8 - bits) & 0xff;
    if (((address.bytes[i] ^ network.bytes[i]) & mask) != 0) return false;
  }
  return true;
}

bool is_this_machine(const Url& url, const std::optional<IpAddress>& address) noexcept {
  if (address) return non_public_range(*address) == "loopback";
  return url.host == "localhost" || url.host.ends_with(".localhost");
}

}  // namespace

std::optional<ProxyRules::Exception> ProxyRules::parse_exception(std::string_view text) {
  Exception exception;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    exception.network = IpAddress::parse(text.substr(0, slash));
    if (!exception.network) return {};
    const auto bits = number(text.substr(slash + 1), exception.network->family == IpAddress::Family::v4 ? 32 : 128);
    if (!bits) return {};
    exception.prefix_bits = *bits;
    return exception;
  }
  exception.network = IpAddress::parse(text);
  if (!exception.network) {
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos) {
      const auto port = number(text.substr(colon + 1), 65535);
      if (!port) return {};
      exception.port = static_cast<std::uint16_t>(*port);
      text = text.substr(0, colon);
    }
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
    exception.network = IpAddress::parse(text);
  }
  exception.prefix_bits = 128;
  if (exception.network) return exception;
  if (text.starts_with("*.")) text.remove_prefix(1);
  for (const char c : text) exception.name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
  if (exception.name.empty()) return {};
  return exception;
}

Result<ProxyRules> ProxyRules::parse(const Proxies& proxies) {
  ProxyRules rules;
  FB_TRY(rules.http_, parse_proxy(proxies.http));
  FB_TRY(rules.https_, parse_proxy(proxies.https));
  std::string_view list = proxies.none;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view entry = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (!entry.empty() && entry.front() == ' ') entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ') entry.remove_suffix(1);
    if (entry == "*") rules.none_ = true;
    // What cannot be read matches nothing, as with every other program that reads this variable.
    if (auto exception = parse_exception(entry)) rules.exceptions_.push_back(std::move(*exception));
  }
  return rules;
}

bool ProxyRules::matches(const Exception& exception, const Url& url, const std::optional<IpAddress>& address) noexcept {
  if (exception.port != 0 && exception.port != url.port) return false;
  if (exception.network) return address && in_network(*address, *exception.network, exception.prefix_bits);
  if (url.host == exception.name) return true;
  if (exception.name.starts_with('.')) return url.host.ends_with(exception.name);
  return url.host.ends_with(exception.name) && url.host.size() > exception.name.size() &&
         url.host[url.host.size() - exception.name.size() - 1] == '.';
}

const Proxy* ProxyRules::proxy_for(const Url& url) const noexcept {
  const std::optional<Proxy>& proxy = url.https ? https_ : http_;
  if (!proxy || none_) return nullptr;
  const std::optional<IpAddress> address = IpAddress::parse(url.host);
  if (is_this_machine(url, address)) return nullptr;
  for (const Exception& exception : exceptions_) {
    if (matches(exception, url, address)) return nullptr;
  }
  return &*proxy;
}

}  // namespace fusebox::http
