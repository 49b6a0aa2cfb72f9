// The events of an environment, as they come: read, followed across broken connections, shown.
//
// Threads  one thread.
// Errors   as api_client.h; `not_found` when the environment is unknown or has ended.
// Contract control-plane.md 7
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/fleet/api_client.h"
#include "cli/fleet/line_splitter.h"

namespace fusebox::cli::fleet {

struct Event {
  std::string id;
  std::string data;  // one JSON object
};

// Server-sent events out of a body. Comments and unknown fields are left out.
class EventParser {
 public:
  base::Result<void> feed(std::string_view piece, const std::function<base::Result<void>(const Event&)>& event);

 private:
  LineSplitter lines_;
  std::string id_;
  std::string data_;
  bool has_data_ = false;
};

struct FollowOptions {
  std::string since;  // the last event that is known; "" = the current state first
  std::string kinds;  // "" = state and step
  StreamLimits limits;
};
enum class Followed : std::uint8_t { enough, ended };  // `ended`: nothing more will come

// Until the handler has enough or the environment has ended; a connection that breaks is made again at the last event.
base::Result<Followed> follow_events(ApiClient& api, const std::string& vm_id, FollowOptions options,
                                     const std::function<base::Result<Flow>(const Event&)>& handler);

// "12:04:05 running http://..." of an event's data.
std::string event_text(const base::json::Node& data);

}  // namespace fusebox::cli::fleet
