#include "fleet/api/frame/body.h"

#include <utility>

#include "fleet/api_error.h"

namespace fusebox::fleet {

base::Error too_large(const RouteSpec& route) {
  if (!route.body_too_large.empty()) return refuse(413, std::string(route.body_too_large)).error();
  return refuse(413,
                "request body exceeds the " + std::to_string(route.body_bytes_max) + " byte limit for this endpoint",
                Details{{"limit", std::to_string(route.body_bytes_max)}})
      .error();
}

base::Error body_error(const RouteSpec& route, const base::Error& error) {
  if (error.code == base::Errc::exhausted) return too_large(route);
  const bool json = route.body == BodyRule::required_json || route.body == BodyRule::optional_json;
  return refuse(400, std::string(json ? "invalid JSON body: " : "") + "the body did not arrive whole").error();
}

base::Task<base::Result<std::string>> read_route_body(http::Exchange& exchange, const RouteSpec& route) {
  const bool json = route.body == BodyRule::required_json || route.body == BodyRule::optional_json;
  if (!json) co_return std::string();
  const http::ServerRequest& request = exchange.request();
  if (request.content_length && *request.content_length > route.body_bytes_max) {
    co_return std::unexpected(too_large(route));
  }
  std::string text;
  if (request.has_body) {
    auto body = co_await exchange.read_body(route.body_bytes_max);
    if (!body) co_return std::unexpected(body_error(route, body.error()));
    text = std::move(*body);
  }
  if (text.empty() && route.body == BodyRule::required_json) {
    co_return refuse(400, "invalid JSON body: the body is empty");
  }
  co_return text;
}

}  // namespace fusebox::fleet
