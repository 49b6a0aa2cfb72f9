// Request bodies: how large, what absence means.
//
// Threads  the connection's loop.
// Errors   ApiErrorDetail: 413 too large, 400 absent where it is required or cut short.
// Contract control-plane.md 1.3
#pragma once

#include <string>

#include "base/result.h"
#include "base/task.h"
#include "fleet/api/routes.h"
#include "http/server/exchange.h"

namespace fusebox::fleet {

base::Error too_large(const RouteSpec& route);
// What it means that a body could not be read.
base::Error body_error(const RouteSpec& route, const base::Error& error);

// The body of a JSON route; "" for routes that read none or read it themselves.
base::Task<base::Result<std::string>> read_route_body(http::Exchange& exchange, const RouteSpec& route);

}  // namespace fusebox::fleet
