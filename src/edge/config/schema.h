// The JSON schemas of configuration files, made from the tables the readers use.
//
// Threads  pure functions.
#pragma once

#include <string>

namespace fusebox::edge::config {

// Draft 2020-12, indented. What the strict reader accepts, but for relations between keys (both spellings of one key, groups
// that capabilities need, unique names).
std::string app_config_schema();   // docs/app_config.schema.json
std::string edge_policy_schema();  // docs/edge-policy.schema.json: one policy as a document, the input of `policy pack`

}  // namespace fusebox::edge::config
