// fusebox env drain, rm, snapshot, fork, migrate, rotate-token, secrets
#include <CLI/CLI.hpp>
#include <ostream>

#include "base/bytes.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;

constexpr std::int64_t kForksMax = 1000;  // one command; a mistyped count should not fill a fleet

struct Ids {
  std::vector<std::string> ids;
  bool all = false, yes = false;
};
struct SnapshotOptions {
  std::string id, comment, name, mode, retention, export_ref, layer_key, idempotency_key;
  std::vector<std::string> metadata;
  bool live = false, respond_async = false;
};
struct ForkOptions {
  std::string id, reuse, comment, task_id, count = "1", idempotency_key;
  bool live = false, respond_async = false;
};
struct MigrateOptions {
  std::string id, target;
  bool live = false, lazy = false;
};
struct SecretsOptions {
  std::string id, file;
  std::vector<std::string> secrets;
  bool restart = false;
};

ApiRequest action(const std::string& id, const char* name) {
  ApiRequest request;
  request.method = "POST";
  request.path = api_path({"v1", "environments", id});
  request.query = {{"action", name}};
  request.limit = kLongCallLimit;
  return request;
}

base::Result<int> drain(Session& session, const Ids& options) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kEnvironments, options.ids, [&](const std::string& id) -> base::Result<void> {
    FB_TRY(const ApiReply reply, api->call(action(id, "drain")));
    FB_CHECK(show_id(session, kEnvironments, reply));
    return {};
  });
}

base::Result<std::vector<std::string>> all_ids(ApiClient& api) {
  FB_TRY(const auto pages, fetch_all(api, {.path = "/v1/environments"}));
  std::vector<std::string> ids;
  for (const json::Document& page : pages)
    if (const json::Node* list = page.root->find("environments"); list != nullptr)
      for (const json::Node& item : list->elements()) ids.push_back(text_member(item, "id"));
  return ids;
}

base::Result<int> remove(Session& session, const Ids& options) {
  if (options.all == !options.ids.empty())
    return base::fail(Errc::invalid, "name the environments to remove, or say --all --yes");
  FB_TRY(ApiClient* const api, session.api());
  std::vector<std::string> ids = options.ids;
  if (options.all) {
    FB_TRY(ids, all_ids(*api));
    if (!options.yes)
      return base::fail(Errc::invalid, "this removes " + std::to_string(ids.size()) + " environments of " +
                                           api->server().base_url + "; nothing was removed: add --yes");
  }
  return for_each(session, kEnvironments, ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call({.method = "DELETE", .path = api_path({"v1", "environments", id}), .limit = kLongCallLimit}));
    FB_CHECK(show_done(session, id, "removed"));
    return {};
  });
}

void put_text(json::Writer& out, const char* key, const std::string& value) {
  if (!value.empty()) out.key(key).string(base::to_utf8(value));
}

void put_headers(ApiRequest& request, const std::string& idempotency_key, bool respond_async) {
  if (!idempotency_key.empty()) request.headers.push_back({"Idempotency-Key", idempotency_key});
  if (respond_async) request.headers.push_back({"Prefer", "respond-async"});
}

base::Result<std::string> snapshot_json(const SnapshotOptions& options) {
  OptionProblems problems;
  json::Writer out;
  out.begin_object();
  put_text(out, "comment", options.comment);
  put_text(out, "mode", options.mode);
  if (!options.retention.empty())
    out.key("retention_seconds").integer(problems.take(seconds_in("--retention", options.retention)));
  if (!options.metadata.empty() || !options.name.empty()) {
    out.key("metadata").begin_object();
    put_text(out, "name", options.name);
    for (const std::string& text : options.metadata) {
      const Pair pair = problems.take(key_value("--metadata", text));
      if (pair.first == "name" && !options.name.empty()) problems.add("--metadata name= and --name exclude each other");
      out.key(base::to_utf8(pair.first)).string(base::to_utf8(pair.second));
    }
    out.end_object();
  }
  put_text(out, "export_ref", options.export_ref);
  put_text(out, "layer_key", options.layer_key);
  if (options.live) out.key("live").boolean(true);
  out.end_object();
  if (!problems.empty()) return base::fail(problems.to_error());
  return out.take();
}

base::Result<int> snapshot(Session& session, const SnapshotOptions& options) {
  ApiRequest request;
  request.method = "POST";
  request.path = api_path({"v1", "environments", options.id, "snapshots"});
  FB_TRY(request.json, snapshot_json(options));
  request.limit = kLongCallLimit;
  put_headers(request, options.idempotency_key, options.respond_async);
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  return show_id(session, kSnapshots, reply);
}

base::Result<int> fork(Session& session, const ForkOptions& options) {
  FB_TRY(const std::int64_t count, whole_number("--count", options.count, 1, kForksMax));
  if (count > 1 && !(options.task_id + options.idempotency_key).empty())
    return base::fail(Errc::invalid, "--task-id and --idempotency-key are for one fork; leave them out with --count");
  json::Writer out;
  out.begin_object();
  put_text(out, "reuse_snapshot_id", options.reuse);
  put_text(out, "comment", options.comment);
  put_text(out, "task_id", options.task_id);
  if (options.live) out.key("live").boolean(true);
  const std::string body = out.end_object().take();
  FB_TRY(ApiClient* const api, session.api());
  const ShownList list(session, kEnvironments, count > 1);
  for (std::int64_t i = 0; i < count; ++i) {
    ApiRequest request = action(options.id, "fork");
    request.json = body;
    put_headers(request, options.idempotency_key, options.respond_async);
    FB_TRY(const ApiReply reply, api->call(std::move(request)));
    FB_CHECK(show_id(session, kEnvironments, reply));
    session.out().flush();
  }
  return kDone;
}

base::Result<int> migrate(Session& session, const MigrateOptions& options) {
  if (options.lazy && !options.live) return base::fail(Errc::invalid, "--lazy needs --live");
  json::Writer out;
  out.begin_object();
  put_text(out, "target_host_id", options.target);
  if (options.live) out.key("live").boolean(true);
  if (options.lazy) out.key("lazy").boolean(true);
  ApiRequest request = action(options.id, "migrate");
  request.json = out.end_object().take();
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  return show_id(session, kEnvironments, reply);
}

base::Result<int> rotate_token(Session& session, const Ids& options) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kEnvironments, options.ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call(action(id, "rotate-token")));
    FB_CHECK(show_done(session, id, "has a new token"));
    return {};
  });
}

base::Result<int> set_secrets(Session& session, const SecretsOptions& options) {
  if (options.secrets.empty() && options.file.empty())
    return base::fail(Errc::invalid, "give all of its secrets: KEY=VALUE, KEY, or --secrets-file");
  OptionProblems problems;
  json::Writer out;
  out.begin_object().key("secrets").raw(secrets_json(options.secrets, options.file, problems)).end_object();
  if (!problems.empty()) return base::fail(problems.to_error());
  ApiRequest request;
  request.method = "PUT";
  request.path = api_path({"v1", "environments", options.id, "secrets"});
  if (options.restart) request.query.emplace_back("restart", "1");
  request.json = out.take();
  request.limit = kLongCallLimit;
  FB_TRY(ApiClient* const api, session.api());
  FB_CHECK(api->call(std::move(request)));
  return show_done(session, options.id, "has new secrets");
}

void add_ends(const Verbs& verbs) {
  auto drained = std::make_shared<Ids>();
  CLI::App* drain_verb = verbs.add("drain", "let environments finish their work and take no more", "drain fuse-demo",
                                   [drained](Session& session) { return drain(session, *drained); });
  drain_verb->add_option("ID", drained->ids, "environments")->required();

  auto removed = std::make_shared<Ids>();
  CLI::App* rm_verb = verbs.add("rm", "remove environments", "rm fuse-demo fuse-build-7",
                                [removed](Session& session) { return remove(session, *removed); });
  rm_verb->add_option("ID", removed->ids, "environments");
  rm_verb->add_flag("--all", removed->all, "every environment this token can see");
  rm_verb->add_flag("--yes,-y", removed->yes, "do it without being asked again");

  auto rotated = std::make_shared<Ids>();
  CLI::App* rotate = verbs.add("rotate-token", "give guest agents new credentials", "rotate-token fuse-demo",
                               [rotated](Session& session) { return rotate_token(session, *rotated); });
  rotate->add_option("ID", rotated->ids, "environments")->required();
}

void add_copies(const Verbs& verbs) {
  auto taken = std::make_shared<SnapshotOptions>();
  CLI::App* snapshot_verb =
      verbs.add("snapshot", "keep an environment's state", "snapshot fuse-demo --name before-upgrade",
                [taken](Session& session) { return snapshot(session, *taken); });
  snapshot_verb->add_option("ID", taken->id, "environment")->required();
  snapshot_verb->add_option("--comment", taken->comment, "for people");
  snapshot_verb->add_option("--name", taken->name, "to find it by");
  snapshot_verb->add_option("--mode", taken->mode, "manual (default), auto or build");
  snapshot_verb->add_option("--retention", taken->retention, "it may go after: 24h");
  snapshot_verb->add_option("--metadata", taken->metadata, "KEY=VALUE; may be repeated")->allow_extra_args(false);
  snapshot_verb->add_option("--export-ref", taken->export_ref, "where it should be exported to");
  snapshot_verb->add_option("--layer-key", taken->layer_key, "of a build's layer");
  snapshot_verb->add_flag("--live", taken->live, "memory too");
  snapshot_verb->add_flag("--async", taken->respond_async, "do not wait");
  snapshot_verb->add_option("--idempotency-key", taken->idempotency_key, "repetitions have the first one's outcome");

  auto forked = std::make_shared<ForkOptions>();
  CLI::App* fork_verb = verbs.add("fork", "new environments that begin as this one is", "fork fuse-demo --count 3",
                                  [forked](Session& session) { return fork(session, *forked); });
  fork_verb->add_option("ID", forked->id, "environment")->required();
  fork_verb->add_option("--count", forked->count, "how many (1)");
  fork_verb->add_option("--reuse-snapshot", forked->reuse, "begin as this snapshot of it");
  fork_verb->add_option("--comment", forked->comment, "for people");
  fork_verb->add_option("--task-id", forked->task_id, "its name (default: generated)");
  fork_verb->add_flag("--live", forked->live, "memory too");
  fork_verb->add_flag("--async", forked->respond_async, "do not wait");
  fork_verb->add_option("--idempotency-key", forked->idempotency_key, "repetitions have the first one's outcome");

  auto moved = std::make_shared<MigrateOptions>();
  CLI::App* migrate_verb = verbs.add("migrate", "move an environment to another host", "migrate fuse-demo --to host-b",
                                     [moved](Session& session) { return migrate(session, *moved); });
  migrate_verb->add_option("ID", moved->id, "environment")->required();
  migrate_verb->add_option("--to", moved->target, "host (default: the scheduler's choice)");
  migrate_verb->add_flag("--live", moved->live, "memory too, or not at all");
  migrate_verb->add_flag("--lazy", moved->lazy, "go on before all memory has moved");
}

void add_secrets(const Verbs& verbs) {
  const Verbs secrets = verbs.below("secrets", "secrets of a running environment");
  secrets.parent->footer("Example: fusebox env secrets set fuse-demo API_KEY --restart");
  auto options = std::make_shared<SecretsOptions>();
  CLI::App* set = secrets.add("set", "replace all secrets of an environment", "set fuse-demo API_KEY DB=pg --restart",
                              [options](Session& session) { return set_secrets(session, *options); });
  set->add_option("ID", options->id, "environment")->required();
  set->add_option("SECRETS", options->secrets, "KEY=VALUE, or KEY: the value of this shell's variable KEY");
  set->add_option("--secrets-file", options->file, "KEY=VALUE lines, or a JSON object");
  set->add_flag("--restart", options->restart, "restart its services");
}

}  // namespace

void add_env_change(const Verbs& verbs) {
  add_ends(verbs);
  add_copies(verbs);
  add_secrets(verbs);
}

}  // namespace fusebox::cli::fleet
