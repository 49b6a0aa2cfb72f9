// One reader for every JSON that holds the policy of an edge module: `modules[].policy` of app_config.json, the flat form of
// policy_to_bin, what fuse_policy_from_json() takes.
//
// Threads  pure functions.
// Errors   every problem at once, in Notes, each with its place.
// Contract edge.md 6.3-6.5
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "edge/config/edge_policy.h"
#include "edge/config/notes.h"

namespace fusebox::edge::config {

struct EventName {
  std::string name;
  std::uint32_t bit = 0;  // 0..31
};

struct PolicyContext {
  std::span<const EventName> events = {};  // names that event_subscribe may hold
  // Capability bits of the groups the configuration lists; nothing = do not ask for them.
  std::optional<std::uint32_t> groups = {};
  // Without either activation key: INTERVAL in app_config.json, 0 in the flat form (which is read as INTERVAL).
  std::uint32_t activation_default = FUSE_ACTIVATION_INTERVAL;
  std::string what = "policy";  // in messages about missing and unknown keys
};

// The object at `node`. What was wrong is in the notes of `source`; then `out` is of no use.
void read_policy(const Source& source, const base::json::Node& node, const PolicyContext& context, EdgePolicy& out);
// A document that is one policy. `file` is for messages only. Nothing when `notes` got any error.
std::optional<EdgePolicy> parse_policy(std::string_view text, std::string file, const PolicyContext& context,
                                       Notes& notes);

// The object `fusebox` inside a policy. Internal to this folder.
void read_extension(const Source& source, const base::json::Node& node, fuse_policy_ext_t& out);

// An object of event names (application.events). Internal to this folder, and for fuse_policy_from_json().
std::vector<EventName> read_events(const Source& source, const base::json::Node& node);
// What an event's name becomes in FUSE_EVENT_<...>: upper case, every character but letters and digits a '_'.
std::string event_macro(std::string_view name);

}  // namespace fusebox::edge::config
