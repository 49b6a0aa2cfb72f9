// URLs a guest or a server chooses: reading one never crashes, what is read is written in one spelling that reads as
// itself, and following a Location from it never leaves that form.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "capability/http_gateway_request.h"
#include "http/address.h"

namespace {

using fusebox::policy::HttpUrl;

void require(bool ok) {
  if (!ok) std::abort();
}

void check_url(const HttpUrl& url) {
  const std::string text = url.text();
  const auto again = fusebox::capability::parse_guest_url(text);
  // The longest URLs may grow by escapes beyond what is read.
  if (!again) {
    require(text.size() > fusebox::policy::kUrlBytesMax);
    return;
  }
  require(*again == url);
  require(url.scheme == "http" || url.scheme == "https");
  require(!url.host.empty() && url.port != 0 && url.path.starts_with('/'));
  require(url.path.find("/../") == std::string::npos && url.path.find("/./") == std::string::npos);
  require(!url.path.ends_with("/..") && !url.path.ends_with("/."));
  for (const char c : text) require(c > 0x20 && c < 0x7f && c != '\\' && c != '#');
  // What looks like an address is one, and is written as the address class check reads it.
  if (fusebox::policy::is_ip_literal(url.host)) {
    const auto address = fusebox::http::IpAddress::parse(url.host);
    require(address.has_value() && address->text() == url.host);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // The first line is a URL, the rest a Location seen from it.
  const std::size_t line = std::min(input.find('\n'), input.size());
  const auto url = fusebox::capability::parse_guest_url(input.substr(0, line));
  if (!url) return 0;
  check_url(*url);
  if (line == input.size()) return 0;
  const auto target = fusebox::capability::resolve_location(*url, input.substr(line + 1));
  if (target) check_url(*target);
  return 0;
}
