#include "edge/capi/policy_json.h"

#include <vector>

#include "edge/config/read_policy.h"

namespace fusebox::edge::capi {

std::string policy_from_json(std::string_view text, std::string_view events, fuse_policy_t& policy,
                             fuse_policy_ext_t& extension) {
  config::Notes notes;
  std::vector<config::EventName> names;
  if (!events.empty()) {
    const auto document = base::json::parse(
        events, {.file = "events", .bytes_max = config::kConfigBytesMax, .pointers = true}, notes.errors);
    if (document) names = config::read_events({*document, notes}, *document->root);
  }
  config::PolicyContext context;
  context.events = names;
  const auto read = config::parse_policy(text, "policy", context, notes);
  if (!notes.ok() || !read) return notes.errors.empty() ? "policy: not read" : notes.errors.to_error().message;
  policy = read->policy;
  extension = read->ext;
  return {};
}

}  // namespace fusebox::edge::capi
