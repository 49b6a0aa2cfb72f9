// The parts of a URL a client needs: http or https, a host, perhaps a port, a path with query.
//
// Threads  pure functions.
// Errors   `invalid`; messages do not repeat the URL, which may hold secrets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::http {

struct Url {
  bool https = false;
  std::string host;  // lower case; IPv6 without brackets
  std::uint16_t port = 0;
  std::string target;     // path and query, starts with '/'
  std::string authority;  // for the Host header: brackets where needed, the port where it is not the usual one
};

base::Result<Url> parse_url(std::string_view text);

}  // namespace fusebox::http
