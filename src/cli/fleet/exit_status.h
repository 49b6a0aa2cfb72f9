// What the verbs of the control plane leave as exit status, and how they say why.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/streams.h"

namespace fusebox::cli::fleet {

// Scripts rely on them (docs/control-plane.md). `exec` and `attach` leave the command's own status.
enum FleetStatus : int {
  kDone = 0,
  kFailed = 1,  // the server refused for another reason, or nobody answered
  kUsage = 2,
  kNotFound = 3,
  kRefused = 4,  // 401 and 403
  kConflict = 5,
  kUnavailable = 6,  // no capacity, a host does not answer, too many requests
  kTimedOut = 124,
};
inline constexpr const char* kExitStatuses =
    "Exit status: 0 done; 1 the server or the network failed; 2 usage; 3 not found; 4 not allowed; 5 conflict;\n"
    "6 no capacity, or temporarily unavailable; 124 timed out; exec and attach: the command's own.";

// What the API said instead of doing it.
struct ApiFailure : base::ErrorDetail {
  int status = 0;
  std::string code;
  std::string request_id;
  std::vector<std::pair<std::string, std::string>> details;  // in the order sent
};
const ApiFailure* api_failure(const base::Error& error) noexcept;  // null: it was not the API

int exit_status(const base::Error& error) noexcept;

// The sentence, what scripts and support need of it, and what to do next.
std::string failure_text(const base::Error& error);

// Tells it on standard error; returns exit_status().
int tell(const Streams& streams, const base::Error& error);

}  // namespace fusebox::cli::fleet
