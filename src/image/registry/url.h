// The addresses registries send: redirects, places to upload to, token servers.
//
// Threads  pure functions.
// Errors   `invalid` "BAD_RESPONSE".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client.h"

namespace fusebox::image::registry {

// An absolute URL, or one relative to `from` that starts with '/'. User names, fragments and other schemes are refused.
base::Result<http::Target> parse_url(std::string_view text, const http::Target& from);
std::string with_parameter(std::string path_and_query, std::string_view name, std::string_view value);
std::string percent_encoded(std::string_view text);

// "host[:port]", the host in lower case and an IPv6 address without its brackets; 0 = no port. Empty for anything else.
struct Authority {
  std::string host;
  std::uint16_t port = 0;
};
base::Result<Authority> parse_authority(std::string_view text);
bool is_this_machine(std::string_view host) noexcept;
std::uint16_t default_port(std::string_view scheme) noexcept;

}  // namespace fusebox::image::registry
