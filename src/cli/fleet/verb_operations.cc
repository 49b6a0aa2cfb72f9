// fusebox operations
#include <CLI/CLI.hpp>

#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

struct Filters {
  std::string vm, state, kind;
  ListOptions page;
};

base::Result<int> list(Session& session, const Filters& filters) {
  ApiRequest request{.path = "/v1/operations",
                     .query = {{"vm_id", filters.vm}, {"state", filters.state}, {"kind", filters.kind}}};
  return show_list(session, kOperations, std::move(request), filters.page);
}

base::Result<int> get(Session& session, const std::string& id) {
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call({.path = api_path({"v1", "operations", id})}));
  return show_object(session, kOperations, reply);
}

}  // namespace

void add_operations(CLI::App& app, VerbContext& context) {
  const Verbs verbs =
      add_group(app, context, "operations", "work a control plane has begun and will finish", "ls --state running");
  auto filters = std::make_shared<Filters>();
  CLI::App* ls = verbs.add("ls", "list operations", "ls --vm fuse-demo",
                           [filters](Session& session) { return list(session, *filters); });
  ls->add_option("--vm", filters->vm, "on this environment");
  ls->add_option("--state", filters->state, "running, done, failed or cancelled");
  ls->add_option("--kind", filters->kind, "create, destroy, fork, snapshot, ...");
  add_list_options(*ls, filters->page);

  auto id = std::make_shared<std::string>();
  CLI::App* got =
      verbs.add("get", "show one operation", "get op_0123", [id](Session& session) { return get(session, *id); });
  got->add_option("ID", *id, "operation")->required();
}

}  // namespace fusebox::cli::fleet
