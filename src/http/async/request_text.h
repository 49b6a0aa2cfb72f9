// A request as it is written: checked, so that no value can begin a line of its own.
//
// Internal to src/http/async.
// Threads  pure functions.
// Errors   `invalid`; messages hold no header value.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/async/async_client.h"
#include "http/async/url.h"

namespace fusebox::http {

// `target`: what stands in the request line. `protocol`: of an upgrade, or "". `more`: a header line for a proxy, or "".
base::Result<std::string> request_text(const AsyncRequest& request, const Url& url, std::string_view target,
                                       std::string_view user_agent, std::string_view protocol, std::string_view more);

}  // namespace fusebox::http
