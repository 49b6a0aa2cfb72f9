// fusebox env wait, events, logs
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/fleet/events.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/heard_logs.h"
#include "cli/fleet/output.h"
#include "cli/fleet/reconnects.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::chrono::milliseconds kQuiet{500};  // `events` without -f: what is stored comes at once

struct WaitOptions {
  std::string id, what = "running", timeout;
};
struct EventsOptions {
  std::string id, since, kinds;
  bool follow = false;
};
struct LogsOptions {
  std::string id, since, limit;
  std::vector<std::string> sources;
  bool follow = false, timestamps = false;
};

enum class Verdict : std::uint8_t { not_yet, reached, never };

Verdict verdict(const std::string& wanted, const std::string& state, const std::string& health) {
  const bool gone = state == "destroyed" || state == "failed";
  if (wanted == "gone") return gone ? Verdict::reached : Verdict::not_yet;
  if (gone || state == "destroying") return Verdict::never;
  if (wanted == "healthy") {
    if (state == "draining") return Verdict::never;
    return state == "running" && health == "passing" ? Verdict::reached : Verdict::not_yet;
  }
  if (wanted == "running" && state == "draining") return Verdict::never;
  return state == wanted ? Verdict::reached : Verdict::not_yet;
}

std::string health_of(const json::Node& data) {
  const json::Node* payload = data.find("payload");
  if (payload == nullptr) return {};
  const std::string direct = text_member(*payload, "state");
  return direct.empty() ? text_at(*payload, "health.state") : direct;
}

base::Result<int> wait(Session& session, const WaitOptions& options) {
  FollowOptions how;
  if (!options.timeout.empty()) {
    FB_TRY(const std::int64_t ms, milliseconds_in("--timeout", options.timeout));
    how.limits.until = session.clock().monotonic() + std::chrono::milliseconds(ms);
  }
  FB_TRY(ApiClient* const api, session.api());
  std::string health;
  if (options.what == "healthy") {
    how.kinds = "state,health";
    FB_TRY(const ApiReply now, api->call({.path = api_path({"v1", "environments", options.id})}));
    FB_TRY(const json::Document object, now.document());
    health = text_at(*object.root, "health.state");
  }
  std::string state, error;
  Verdict reached = Verdict::not_yet;
  const auto followed = follow_events(*api, options.id, how, [&](const Event& event) -> base::Result<Flow> {
    FB_TRY(const json::Document data, json::parse(event.data, {.file = "event"}));
    const std::string kind = text_member(*data.root, "event");
    if (kind == "health") health = health_of(*data.root);
    if (kind == "state") {
      state = text_member(*data.root, "state");
      error = text_member(*data.root, "error");
    }
    reached = verdict(options.what, state, health);
    return reached == Verdict::not_yet ? Flow::go_on : Flow::enough;
  });
  if (!followed) {
    const ApiFailure* failure = api_failure(followed.error());
    if (options.what == "gone" && failure != nullptr && failure->status == 404 && failure->code == "not_found")
      return show_done(session, options.id, "is gone");
    return base::fail(followed.error());
  }
  if (reached == Verdict::reached)
    return show_done(session, options.id, options.what == "gone" ? "is gone" : "is " + options.what);
  return base::fail(Errc::io, options.id + " is " + (state.empty() ? "gone" : state) + " and will not be " +
                                  options.what + (error.empty() ? "" : ": " + error));
}

base::Result<int> events(Session& session, const EventsOptions& options) {
  FollowOptions how;
  how.since = options.since;
  how.kinds = options.kinds;
  if (!options.follow) how.limits.quiet = kQuiet;
  FB_TRY(ApiClient* const api, session.api());
  const auto ended = follow_events(*api, options.id, how, [&session](const Event& event) -> base::Result<Flow> {
    FB_TRY(const json::Document data, json::parse(event.data, {.file = "event"}));
    if (session.json())
      session.out() << json::canonical(*data.root) << '\n';
    else if (session.format() == Format::name)
      session.out() << printable(event.id) << '\n';
    else
      session.out() << printable(event.id) << "  " << printable(event_text(*data.root)) << '\n';
    session.out().flush();
    return Flow::go_on;
  });
  if (!ended) return base::fail(ended.error());
  return kDone;
}

void show_log_line(Session& session, const LogsOptions& options, std::string_view line, const json::Node& entry) {
  if (session.json()) {
    session.out() << line << '\n';
  } else {
    if (options.timestamps)
      session.out() << printable(text_member(entry, "at")) << ' ' << printable(text_member(entry, "source")) << "  ";
    const std::string data = text_member(entry, "data");
    session.out() << data;
    if (!data.ends_with('\n') && options.timestamps) session.out() << '\n';
  }
  session.out().flush();
}

ApiRequest logs_request(const LogsOptions& options) {
  ApiRequest request;
  request.path = api_path({"v1", "environments", options.id, "logs"});
  std::string sources;
  for (const std::string& source : options.sources) sources += (sources.empty() ? "" : ",") + source;
  if (!sources.empty()) request.query.emplace_back("source", sources);
  if (!options.since.empty()) request.query.emplace_back("since", options.since);
  if (!options.limit.empty()) request.query.emplace_back("limit", options.limit);
  if (options.follow) request.query.emplace_back("follow", "1");
  return request;
}

// A stream of logs also ends when its server goes: what is followed has ended when it is not there any more.
// Whoever may not see it, only its logs, takes a good end for its end.
bool may_be_there(ApiClient& api, const std::string& id) {
  const auto found = api.call({.path = api_path({"v1", "environments", id})});
  if (found) return true;
  const ApiFailure* failure = api_failure(found.error());
  return failure == nullptr || failure->status >= 500;
}

base::Result<int> logs(Session& session, LogsOptions options) {
  FB_TRY(ApiClient* const api, session.api());
  HeardLogs heard;
  for (Reconnects reconnects;;) {
    LineSplitter lines;
    const auto show = [&](std::string_view line) -> base::Result<void> {
      if (line.empty()) return {};
      FB_TRY(const json::Document entry, json::parse(line, {.file = "log"}));
      if (entry.root->find("keepalive") != nullptr || !heard.is_new(*entry.root)) return {};
      reconnects.heard();
      show_log_line(session, options, line, *entry.root);
      return {};
    };
    const auto ended =
        api->stream(logs_request(options), [&](const ApiReply&, std::string_view piece) -> base::Result<Flow> {
          FB_CHECK(lines.feed(piece, show));
          return Flow::go_on;
        });
    if (!options.follow) {
      if (!ended) return base::fail(ended.error());
      return kDone;
    }
    if (ended && !may_be_there(*api, options.id)) return kDone;
    FB_TRY(const bool again, reconnects.pause(*api, ended, {}));
    if (!again) return kDone;
    heard.go_on(options.since, options.limit);
  }
}

}  // namespace

void add_env_watch(const Verbs& verbs) {
  auto waited = std::make_shared<WaitOptions>();
  CLI::App* wait_verb = verbs.add("wait", "until an environment runs, is healthy, or is gone",
                                  "wait fuse-demo --for healthy --timeout 2m",
                                  [waited](Session& session) { return wait(session, *waited); });
  wait_verb->add_option("ID", waited->id, "environment")->required();
  wait_verb->add_option("--for", waited->what, "running (default), healthy, draining or gone")
      ->check(CLI::IsMember({"running", "healthy", "draining", "gone"}));
  wait_verb->add_option("--timeout", waited->timeout, "longest time: 30s, 5m; then exit status 124");

  auto told = std::make_shared<EventsOptions>();
  CLI::App* events_verb = verbs.add("events", "what happened to an environment, and happens", "events -f fuse-demo",
                                    [told](Session& session) { return events(session, *told); });
  events_verb->add_option("ID", told->id, "environment")->required();
  events_verb->add_flag("--follow,-f", told->follow, "go on until it has ended");
  events_verb->add_option("--since", told->since, "the last event seen: what came after it (default: the state now)");
  events_verb->add_option("--kinds", told->kinds, "state,step (default), health, log, snapshot");

  auto logged = std::make_shared<LogsOptions>();
  CLI::App* logs_verb =
      verbs.add("logs", "what boot, start-up script, agent and console wrote", "logs fuse-demo --source script",
                [logged](Session& session) { return logs(session, *logged); });
  logs_verb->add_option("ID", logged->id, "environment")->required();
  logs_verb->add_flag("--follow,-f", logged->follow, "go on until it has ended");
  logs_verb->add_option("--source", logged->sources, "boot, script, agent or serial; may be repeated")
      ->allow_extra_args(false);
  logs_verb->add_option("--since", logged->since, "a time: 2026-01-31T12:00:00Z");
  logs_verb->add_option("--limit", logged->limit, "of what there is, the last so many entries");
  logs_verb->add_flag("--timestamps,-t", logged->timestamps, "with time and source");
}

}  // namespace fusebox::cli::fleet
