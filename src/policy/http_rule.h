// The fields of HTTP entries, normalised as they are read. Contract capability.md 8.4.
//
// Threads  pure functions.
// Errors   `invalid`, with what to write instead.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/policy.h"

namespace fusebox::policy {

// A host as normalise_host gives it, or "*.name".
base::Result<std::string> rule_host(std::string_view text);
// A normalised path. Dot segments are refused: what they leave could cover more than the text seems to say.
base::Result<std::string> rule_path(std::string_view text, PathMatch match);
// An HTTP token in upper case; CONNECT and TRACE only in deny entries, as no guest may send them.
base::Result<void> check_method(std::string_view method, bool deny);
// A header name in lower case.
base::Result<std::string> header_name(std::string_view text);
// "GET,POST https://host[:port]/path[*]".
base::Result<HttpRule> short_rule(std::string_view text, bool deny);

}  // namespace fusebox::policy
