// fusebox env create
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <ostream>

#include "base/ids.h"
#include "base/text.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/events.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;

struct CreateOptions {
  EnvironmentOptions environment;
  bool respond_async = false;
  bool follow = false;
  std::string idempotency_key;
};

std::string generated_id(Session& session, const char* prefix) {
  std::string id = base::IdSource(session.clock(), session.random()).ulid().text();
  std::ranges::transform(id, id.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return prefix + id;
}

// Tells each event until it runs or has ended; the status.
base::Result<int> follow(Session& session, ApiClient& api, const std::string& id) {
  int status = kDone;
  const auto show = [&](const Event& event) -> base::Result<Flow> {
    FB_TRY(const json::Document data, json::parse(event.data, {.file = "event"}));
    session.note(event_text(*data.root));
    const std::string state = text_member(*data.root, "state");
    if (state == "failed" || state == "destroyed") status = kFailed;
    return state.empty() || state == "provisioning" ? Flow::go_on : Flow::enough;
  };
  FB_CHECK(follow_events(api, id, {}, show));
  return status;
}

// Nobody takes the stub for a sandbox: what was not asked for by its name is told.
base::Result<int> show_made(Session& session, const SpecOptions& asked, const ApiReply& reply) {
  FB_TRY(const json::Document made, reply.document());
  if (asked.backend.empty() && text_member(*made.root, "backend") == "stub") {
    session.note(asked.image.empty()
                     ? "no image was named, so it is of backend stub, which keeps books and runs nothing; see --image"
                     : "the server has no image " + base::in_quotes(asked.image) +
                           ", so it is of backend stub, which keeps books and runs nothing; import the image there");
  }
  return show_id(session, kEnvironments, reply);
}

base::Result<int> create(Session& session, CreateOptions options) {
  EnvironmentOptions& asked = options.environment;
  if (asked.task_id.empty()) asked.task_id = generated_id(session, "task-");
  // Always with a key: after a broken connection the same command line plus the key finds the outcome.
  if (options.idempotency_key.empty()) options.idempotency_key = generated_id(session, "cli-");
  ApiRequest request;
  request.method = "POST";
  request.path = "/v1/environments";
  FB_TRY(request.json, environment_json(asked));
  request.headers.push_back({"Idempotency-Key", options.idempotency_key});
  if (options.respond_async || options.follow) request.headers.push_back({"Prefer", "respond-async"});
  request.limit = kLongCallLimit;
  FB_TRY(ApiClient* const api, session.api());
  auto reply = api->call(std::move(request));
  if (!reply && api_failure(reply.error()) == nullptr) {
    reply.error().message += "\nit may have been created: repeat with --task-id " + asked.task_id +
                             " --idempotency-key " + options.idempotency_key;
  }
  if (!reply) return base::fail(reply.error());
  if (!options.follow) return show_made(session, asked.spec, *reply);
  FB_TRY(const json::Document made, reply->document());
  const std::string id = text_member(*made.root, "id");
  FB_TRY(const int status, follow(session, *api, id));
  if (status != kDone) return status;
  FB_TRY(const ApiReply now, api->call({.path = api_path({"v1", "environments", id})}));
  return show_made(session, asked.spec, now);
}

}  // namespace

void add_env_create(const Verbs& verbs) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* verb = verbs.add("create", "create an environment and wait until it runs",
                             "create --image js --cpus 2 --ram 1GiB --secret API_KEY --expose 8080=web --follow",
                             [options](Session& session) { return create(session, *options); });
  add_environment_options(*verb, options->environment);
  verb->add_flag("--async", options->respond_async, "do not wait: fusebox env wait ID");
  verb->add_flag("--follow", options->follow, "tell each step until it runs");
  verb->add_option("--idempotency-key", options->idempotency_key,
                   "a repetition with the same key has the first one's outcome (default: generated)");
}

}  // namespace fusebox::cli::fleet
