// What the API answers instead of success: a status, a stable code and a sentence; carried by base::Error.
//
// Threads  plain values.
// Contract control-plane.md 1.5
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::fleet {

struct ApiErrorDetail : base::ErrorDetail {
  int status = 500;
  std::string code = "internal";
  std::map<std::string, std::string> details;
  int retry_after_seconds = 0;  // 0 = no Retry-After
};

using Details = std::map<std::string, std::string>;

// The failing side of any Result, with the code that goes with the status (400 invalid_argument, 401 unauthorized, 403
// unauthorized, 404 not_found, 409 conflict, 413 payload_too_large, 429 rate_limited, 501 unimplemented, 503 unavailable,
// else internal).
std::unexpected<base::Error> refuse(int status, std::string message, Details details = {});
std::unexpected<base::Error> refuse(int status, std::string code, std::string message, Details details);

// How the error of anything below is answered: its own ApiErrorDetail, else by its code. Store failures are 500 (503 for
// `unavailable`), with a text that names no database.
ApiErrorDetail api_detail(const base::Error& error);
// {"error":{...}} and a newline.
std::string error_envelope(const base::Error& error);

}  // namespace fusebox::fleet
