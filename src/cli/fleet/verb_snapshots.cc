// fusebox snapshots
#include <CLI/CLI.hpp>
#include <ostream>

#include "base/bytes.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;

struct Filters {
  std::string vm, task, tenant, state, mode, name, layer_key, arch, digest, host;
  ListOptions page;
};
struct ForkOptions {
  std::string id, task_id, comment, idempotency_key;
  bool respond_async = false;
  SpecOptions spec;
};
struct ResolveOptions {
  std::string layer_key, arch;
};

base::Result<int> list(Session& session, const Filters& filters) {
  ApiRequest request;
  request.path = "/v1/snapshots";
  request.query = {{"vm_id", filters.vm},    {"task_id", filters.task},        {"tenant_id", filters.tenant},
                   {"state", filters.state}, {"mode", filters.mode},           {"name", filters.name},
                   {"arch", filters.arch},   {"layer_key", filters.layer_key}, {"digest", filters.digest},
                   {"host_id", filters.host}};
  return show_list(session, kSnapshots, std::move(request), filters.page);
}

base::Result<int> get(Session& session, const std::string& id) {
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call({.path = api_path({"v1", "snapshots", id})}));
  return show_object(session, kSnapshots, reply);
}

base::Result<int> remove(Session& session, const std::vector<std::string>& ids) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kSnapshots, ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call({.method = "DELETE", .path = api_path({"v1", "snapshots", id}), .limit = kLongCallLimit}));
    FB_CHECK(show_done(session, id, "removed"));
    return {};
  });
}

ApiRequest action(const std::string& id, const char* name) {
  ApiRequest request{.method = "POST", .path = api_path({"v1", "snapshots", id}), .query = {{"action", name}}};
  request.limit = kLongCallLimit;
  return request;
}

base::Result<int> restore(Session& session, const std::string& id) {
  FB_TRY(ApiClient* const api, session.api());
  FB_CHECK(api->call(action(id, "restore")));
  return show_done(session, id, "restored");
}

base::Result<int> fork(Session& session, const ForkOptions& options) {
  FB_TRY(const std::string spec, spec_json(options.spec));
  json::Writer out;
  out.begin_object();
  if (!options.task_id.empty()) out.key("task_id").string(base::to_utf8(options.task_id));
  if (!options.comment.empty()) out.key("comment").string(base::to_utf8(options.comment));
  if (spec != "{}") out.key("spec").raw(spec);
  ApiRequest request = action(options.id, "fork");
  request.json = out.end_object().take();
  if (!options.idempotency_key.empty()) request.headers.push_back({"Idempotency-Key", options.idempotency_key});
  if (options.respond_async) request.headers.push_back({"Prefer", "respond-async"});
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  return show_id(session, kEnvironments, reply);
}

// Status 3 when there is none.
base::Result<int> resolve(Session& session, const ResolveOptions& options) {
  ApiRequest request{.path = "/v1/snapshots/resolve",
                     .query = {{"layer_key", options.layer_key}, {"arch", options.arch}}};
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  FB_TRY(const json::Document answer, reply.document());
  const json::Node* found = answer.root->find("snapshot");
  if (session.json()) {
    session.out() << json::canonical(*answer.root) << '\n';
  } else if (found != nullptr) {
    session.out() << printable(text_member(*found, "id")) << '\n';
  } else {
    session.note("no ready snapshot has this key on " + options.arch);
  }
  return found == nullptr ? kNotFound : kDone;
}

void add_reading(const Verbs& verbs) {
  auto filters = std::make_shared<Filters>();
  CLI::App* ls = verbs.add("ls", "list snapshots, newest first", "ls --vm fuse-demo",
                           [filters](Session& session) { return list(session, *filters); });
  ls->add_option("--vm", filters->vm, "of this environment");
  ls->add_option("--task-id", filters->task, "of this task");
  ls->add_option("--tenant", filters->tenant, "of this tenant");
  ls->add_option("--state", filters->state, "creating, ready, restoring, deleting or error");
  ls->add_option("--mode", filters->mode, "manual, auto or build");
  ls->add_option("--name", filters->name, "of this name");
  ls->add_option("--layer-key", filters->layer_key, "of this build layer");
  ls->add_option("--arch", filters->arch, "amd64 or arm64");
  ls->add_option("--digest", filters->digest, "with these bytes");
  ls->add_option("--host", filters->host, "on this host");
  add_list_options(*ls, filters->page);

  auto id = std::make_shared<std::string>();
  CLI::App* got =
      verbs.add("get", "show one snapshot", "get snap-1", [id](Session& session) { return get(session, *id); });
  got->add_option("ID", *id, "snapshot")->required();

  auto asked = std::make_shared<ResolveOptions>();
  CLI::App* resolved =
      verbs.add("resolve", "the newest snapshot of a build layer", "resolve --layer-key abc --arch amd64",
                [asked](Session& session) { return resolve(session, *asked); });
  resolved->add_option("--layer-key", asked->layer_key, "of the layer")->required();
  resolved->add_option("--arch", asked->arch, "amd64 or arm64")->required();
}

void add_using(const Verbs& verbs) {
  auto restored = std::make_shared<std::string>();
  CLI::App* restore_verb = verbs.add("restore", "bring its environment back to a snapshot", "restore snap-1",
                                     [restored](Session& session) { return restore(session, *restored); });
  restore_verb->add_option("ID", *restored, "snapshot")->required();

  auto forked = std::make_shared<ForkOptions>();
  CLI::App* fork_verb =
      verbs.add("fork", "a new environment that begins as a snapshot, also when its own is gone",
                "fork snap-1 --task-id again", [forked](Session& session) { return fork(session, *forked); });
  fork_verb->add_option("ID", forked->id, "snapshot")->required();
  fork_verb->add_option("--task-id", forked->task_id, "its name (default: generated)");
  fork_verb->add_option("--comment", forked->comment, "for people");
  add_spec_options(*fork_verb, forked->spec);
  fork_verb->add_flag("--async", forked->respond_async, "do not wait");
  fork_verb->add_option("--idempotency-key", forked->idempotency_key, "repetitions have the first one's outcome");

  auto removed = std::make_shared<std::vector<std::string>>();
  CLI::App* rm = verbs.add("rm", "remove snapshots", "rm snap-1 snap-2",
                           [removed](Session& session) { return remove(session, *removed); });
  rm->add_option("ID", *removed, "snapshots")->required();
}

}  // namespace

void add_snapshots(CLI::App& app, VerbContext& context) {
  const Verbs verbs = add_group(app, context, "snapshots", "snapshots of environments: find, restore, fork, remove",
                                "ls --vm fuse-demo");
  add_reading(verbs);
  add_using(verbs);
}

}  // namespace fusebox::cli::fleet
