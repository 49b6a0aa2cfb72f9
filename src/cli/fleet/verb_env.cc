// fusebox env: what there is.
#include <CLI/CLI.hpp>

#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

struct ListFilters {
  std::string task_id, state, host;
  ListOptions page;
};

base::Result<int> list(Session& session, const ListFilters& filters) {
  ApiRequest request;
  request.path = "/v1/environments";
  request.query = {{"task_id", filters.task_id}, {"state", filters.state}, {"host_id", filters.host}};
  return show_list(session, kEnvironments, std::move(request), filters.page);
}

base::Result<int> get(Session& session, const std::string& id) {
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call({.path = api_path({"v1", "environments", id})}));
  return show_object(session, kEnvironments, reply);
}

void add_ls_get(const Verbs& verbs) {
  auto filters = std::make_shared<ListFilters>();
  CLI::App* listed = verbs.add("ls", "list environments", "ls --state running --all",
                               [filters](Session& session) { return list(session, *filters); });
  listed->add_option("--task-id", filters->task_id, "of this task");
  listed->add_option("--state", filters->state, "provisioning, running, draining or destroying");
  listed->add_option("--host", filters->host, "on this host");
  add_list_options(*listed, filters->page);

  auto id = std::make_shared<std::string>();
  CLI::App* got = verbs.add("get", "show one environment", "get fuse-build-7 --json",
                            [id](Session& session) { return get(session, *id); });
  got->add_option("ID", *id, "environment")->required();
}

}  // namespace

void add_env(CLI::App& app, VerbContext& context) {
  const Verbs verbs =
      add_group(app, context, "env", "environments of a control plane: create, use, watch, remove",
                "create --image js --task-id demo && fusebox env exec fuse-demo -- js -e 'console.log(1 + 1)'");
  add_env_create(verbs);
  add_ls_get(verbs);
  add_env_watch(verbs);
  add_env_exec(verbs);
  add_env_cp(verbs);
  add_env_change(verbs);
}

}  // namespace fusebox::cli::fleet
