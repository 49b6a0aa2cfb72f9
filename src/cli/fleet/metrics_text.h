// Samples of a Prometheus text.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>

namespace fusebox::cli::fleet {

// The lines about metrics whose name begins with `prefix`, comments included.
std::string metrics_with_prefix(std::string_view text, std::string_view prefix);
// [{"name","labels":"a=\"b\"","value":"1"}]: values as text, because +Inf and NaN are no JSON numbers.
std::string metrics_json(std::string_view text);

}  // namespace fusebox::cli::fleet
