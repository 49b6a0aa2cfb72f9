// The request JSON of http.request: reading it never crashes; what is accepted can be sent without being taken apart,
// and reads the same when it is written again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "capability/http_gateway_request.h"

namespace {

using fusebox::capability::HttpCallRequest;

void require(bool ok) {
  if (!ok) std::abort();
}

std::string written(const HttpCallRequest& request) {
  fusebox::base::json::Writer out;
  out.begin_object()
      .key("method")
      .string(request.method)
      .key("url")
      .string(request.url.text())
      .key("headers")
      .begin_array();
  for (const auto& header : request.headers) out.begin_array().string(header.name).string(header.value).end_array();
  out.end_array().key("body_base64").string(fusebox::base::to_base64(fusebox::base::as_bytes(request.body)));
  if (request.timeout) out.key("timeout_ms").integer(request.timeout->count());
  out.end_object();
  return out.take();
}

void check(const HttpCallRequest& request, const fusebox::policy::HttpRules& rules) {
  require(request.method != "CONNECT" && request.method != "TRACE");
  for (const auto& header : request.headers) {
    require(std::ranges::find(rules.request_headers, header.name) != rules.request_headers.end());
    for (const char c : header.value) require(c != '\r' && c != '\n' && c != '\0');
  }
  const auto again = fusebox::capability::read_http_request(written(request), rules);
  if (!again) {
    require(request.url.text().size() > fusebox::policy::kUrlBytesMax);
    return;
  }
  require(again->method == request.method && again->url == request.url && again->headers == request.headers);
  require(again->body == request.body && again->timeout == request.timeout);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fusebox::policy::HttpRules rules;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto request = fusebox::capability::read_http_request(input, rules);
  if (request) {
    check(*request, rules);
    return 0;
  }
  require(!request.error().authorized() && !request.error().reason.empty());
  require(fusebox::base::is_utf8(request.error().reason));
  return 0;
}
