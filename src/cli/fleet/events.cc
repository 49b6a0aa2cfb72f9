#include "cli/fleet/events.h"

#include <utility>

#include "cli/fleet/reconnects.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;

ApiRequest events_request(const std::string& vm_id, const FollowOptions& options) {
  ApiRequest request;
  request.path = api_path({"v1", "environments", vm_id, "events"});
  if (!options.kinds.empty()) request.query.emplace_back("kinds", options.kinds);
  request.headers.push_back({"Accept", "text/event-stream"});
  if (!options.since.empty()) request.headers.push_back({"Last-Event-ID", options.since});
  return request;
}

bool is_terminal(const Event& event) {
  const auto data = json::parse(event.data);
  if (!data) return false;
  const std::string state = text_member(*data->root, "state");
  return state == "destroyed" || state == "failed";
}

std::string duration_text(const json::Node& data) {
  const std::string ms = text_at(data, "duration_ms");
  return ms.empty() ? "" : ", " + ms + " ms";
}

std::string step_text(const json::Node& data) {
  std::string text = "step " + text_at(data, "index") + "/" + text_at(data, "total");
  const json::Node* cached = data.find("cached");
  if (cached != nullptr && cached->kind() == json::Kind::boolean && cached->boolean()) text += " cached";
  if (const std::string reason = text_member(data, "miss_reason"); !reason.empty()) text += " " + reason;
  return text + ", exit " + text_at(data, "exit_code") + duration_text(data);
}

}  // namespace

base::Result<void> EventParser::feed(std::string_view piece,
                                     const std::function<base::Result<void>(const Event&)>& event) {
  return lines_.feed(piece, [&](std::string_view line) -> base::Result<void> {
    if (line.empty()) {
      if (!std::exchange(has_data_, false)) return {};
      return event({id_, std::exchange(data_, {})});
    }
    const std::size_t colon = line.find(':');
    if (colon == 0) return {};
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "id") id_ = value;
    if (field != "data") return {};
    if (data_.size() + value.size() > kLineBytesMax)
      return base::fail(base::Errc::exhausted, "the server sent an event of more than 4 MiB");
    data_ += value;
    has_data_ = true;
    return {};
  });
}

base::Result<Followed> follow_events(ApiClient& api, const std::string& vm_id, FollowOptions options,
                                     const std::function<base::Result<Flow>(const Event&)>& handler) {
  for (Reconnects reconnects;;) {
    EventParser parser;
    Flow flow = Flow::go_on;
    bool terminal = false;
    const auto sink = [&](const ApiReply&, std::string_view piece) -> base::Result<Flow> {
      const auto fed = parser.feed(piece, [&](const Event& event) -> base::Result<void> {
        if (flow == Flow::enough) return {};
        reconnects.heard();
        if (!event.id.empty()) options.since = event.id;
        terminal = is_terminal(event);
        FB_TRY(flow, handler(event));
        return {};
      });
      if (!fed) return base::fail(fed.error());
      return flow;
    };
    const auto ended = api.stream(events_request(vm_id, options), sink, options.limits);
    if (flow == Flow::enough) return Followed::enough;
    if (terminal) return Followed::ended;
    // Whether quiet or closed by the server at its own end: a server that restarts says goodbye too.
    if (ended && options.limits.quiet) return Followed::ended;
    FB_TRY(const bool again, reconnects.pause(api, ended, options.limits.until));
    if (!again) return Followed::ended;
  }
}

std::string event_text(const json::Node& data) {
  const std::string kind = text_member(data, "event");
  const std::string at = text_member(data, "updated_at");
  std::string text = at.size() >= 19 ? at.substr(11, 8) + " " : "";
  if (kind == "step") return text + step_text(data);
  if (kind != "state") {
    const json::Node* payload = data.find("payload");
    return text + kind + " " + (payload == nullptr ? json::canonical(data) : json::canonical(*payload));
  }
  text += text_member(data, "state");
  if (const std::string url = text_member(data, "url"); !url.empty()) text += " " + url;
  if (const std::string error = text_member(data, "error"); !error.empty()) text += ": " + error;
  return text;
}

}  // namespace fusebox::cli::fleet
