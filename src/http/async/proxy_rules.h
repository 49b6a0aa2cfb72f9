// Which proxy a request takes, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.
//
// NO_PROXY is a list with commas: "*", addresses, networks ("10.0.0.0/8"), names ("example.com" means its subdomains as
// well, ".example.com" only those), each perhaps with a port. This machine's own names never take a proxy.
//
// Threads  plain value.
// Errors   `invalid`; messages hold neither the proxy's URL nor its credentials.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/address.h"
#include "http/async/async_client.h"
#include "http/async/url.h"

namespace fusebox::http {

struct Proxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // a whole header line, or ""
};

class ProxyRules {
 public:
  static base::Result<ProxyRules> parse(const Proxies& proxies);
  const Proxy* proxy_for(const Url& url) const noexcept;  // null: straight

 private:
  struct Exception {
    std::string name;                  // lower case; with a leading dot: only below it
    std::optional<IpAddress> network;  // instead of a name
    int prefix_bits = 0;
    std::uint16_t port = 0;  // 0 = any
  };
  static std::optional<Exception> parse_exception(std::string_view text);
  static bool matches(const Exception& exception, const Url& url, const std::optional<IpAddress>& address) noexcept;

  std::optional<Proxy> http_, https_;
  bool none_ = false;
  std::vector<Exception> exceptions_;
};

}  // namespace fusebox::http
