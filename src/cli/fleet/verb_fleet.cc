// fusebox fleet: the control plane itself
#include <CLI/CLI.hpp>
#include <map>
#include <ostream>

#include "cli/container/table.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/metrics_text.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;

struct AuditOptions {
  std::string entity_type, entity_id, event_type, since;
  ListOptions page;
};

base::Result<int> audit(Session& session, const AuditOptions& options) {
  ApiRequest request{.path = "/v1/audit",
                     .query = {{"entity_type", options.entity_type},
                               {"entity_id", options.entity_id},
                               {"event_type", options.event_type},
                               {"since", options.since}}};
  return show_list(session, kAuditEvents, std::move(request), options.page);
}

base::Result<int> dead_letters(Session& session, const ListOptions& page) {
  ApiRequest request{.path = "/v1/dead-letters"};
  return show_list(session, kDeadLetters, std::move(request), page);
}

base::Result<int> acknowledge(Session& session, const std::vector<std::string>& ids) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kDeadLetters, ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call({.method = "POST", .path = api_path({"v1", "dead-letters", id}), .query = {{"action", "ack"}}}));
    FB_CHECK(show_done(session, id, "acknowledged"));
    return {};
  });
}

// /ready answers 503 with a body that says why.
base::Result<std::string> readiness(ApiClient& api) {
  FB_TRY(const ApiReply ready, api.call({.path = "/ready"}));
  return ready.body;
}

std::string version_text(const json::Node& version) {
  const std::string product = text_member(version, "product");
  if (product.empty()) return text_member(version, "service") + " " + text_member(version, "version");
  return product + " " + text_member(version, "product_version");
}

struct Totals {
  std::size_t hosts = 0, unreachable = 0, cordoned = 0, environments = 0;
  std::map<std::string, std::size_t> states;
};

void each_item(const std::vector<json::Document>& pages, const char* key,
               const std::function<void(const json::Node&)>& take) {
  for (const json::Document& page : pages)
    if (const json::Node* list = page.root->find(key); list != nullptr)
      for (const json::Node& item : list->elements()) take(item);
}

base::Result<Totals> totals(ApiClient& api) {
  Totals found;
  FB_TRY(const auto hosts, fetch_all(api, {.path = "/v1/hosts"}));
  each_item(hosts, "hosts", [&found](const json::Node& host) {
    ++found.hosts;
    const std::string reach = text_at(host, "reachability.state");
    if (!reach.empty() && reach != "reachable") ++found.unreachable;
    if (text_member(host, "state") != "active") ++found.cordoned;
  });
  FB_TRY(const auto environments, fetch_all(api, {.path = "/v1/environments"}));
  each_item(environments, "environments", [&found](const json::Node& environment) {
    ++found.environments;
    ++found.states[text_member(environment, "state")];
  });
  return found;
}

base::Result<int> status(Session& session) {
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply said, api->call({.path = "/v1/version"}));
  FB_TRY(const json::Document version, said.document());
  const auto ready = readiness(*api);
  const int left = ready ? kDone : exit_status(ready.error());
  FB_TRY(const Totals found, totals(*api));
  if (session.json()) {
    json::Writer out;
    out.begin_object().key("server").string(api->server().base_url).key("version").raw(json::canonical(*version.root));
    out.key("ready").boolean(ready.has_value()).key("hosts").unsigned_integer(found.hosts);
    out.key("hosts_unreachable").unsigned_integer(found.unreachable);
    out.key("hosts_not_active").unsigned_integer(found.cordoned);
    out.key("environments").begin_object();
    for (const auto& [state, count] : found.states) out.key(state).unsigned_integer(count);
    session.out() << out.end_object().end_object().take() << '\n';
    return left;
  }
  std::string states;
  for (const auto& [state, count] : found.states)
    states += (states.empty() ? " (" : ", ") + std::to_string(count) + " " + printable(state);
  Table table({"SERVER", api->server().base_url});
  table.add({"VERSION", printable(version_text(*version.root))});
  table.add({"READY", ready ? "yes" : "no: " + printable(ready.error().message)});
  table.add({"HOSTS", std::to_string(found.hosts) + " (" + std::to_string(found.unreachable) + " do not answer, " +
                          std::to_string(found.cordoned) + " take nothing new)"});
  table.add({"ENVIRONMENTS", std::to_string(found.environments) + states + (states.empty() ? "" : ")")});
  table.print(session.out());
  return left;
}

base::Result<int> metrics(Session& session, const std::string& prefix) {
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call({.path = "/metrics"}));
  const std::string chosen = metrics_with_prefix(reply.body, prefix);
  session.out() << (session.json() ? metrics_json(chosen) + '\n' : chosen);
  return kDone;
}

void add_dead_letters(const Verbs& verbs) {
  const Verbs letters = verbs.below("dead-letters", "what the reconciler gave up on");
  letters.parent->footer("Example: fusebox fleet dead-letters ls");
  auto page = std::make_shared<ListOptions>();
  CLI::App* ls =
      letters.add("ls", "list dead letters", "ls", [page](Session& session) { return dead_letters(session, *page); });
  add_list_options(*ls, *page);
  auto ids = std::make_shared<std::vector<std::string>>();
  CLI::App* ack = letters.add("ack", "they have been seen to", "ack 17",
                              [ids](Session& session) { return acknowledge(session, *ids); });
  ack->add_option("ID", *ids, "dead letters")->required();
}

}  // namespace

void add_fleet_group(CLI::App& app, VerbContext& context) {
  const Verbs verbs = add_group(app, context, "fleet", "a control plane itself: status, audit log, metrics", "status");
  verbs.add("status", "version, readiness, hosts and environments in numbers", "status", status);

  auto options = std::make_shared<AuditOptions>();
  CLI::App* audit_verb = verbs.add("audit", "what happened, and who caused it", "audit --entity fuse-demo --all",
                                   [options](Session& session) { return audit(session, *options); });
  audit_verb->add_option("--type", options->entity_type, "of what: vm, task, snapshot, host, key");
  audit_verb->add_option("--entity", options->entity_id, "its id");
  audit_verb->add_option("--event", options->event_type, "vm.running, auth.failed, ...");
  audit_verb->add_option("--since", options->since, "a time: 2026-01-31T12:00:00Z");
  add_list_options(*audit_verb, options->page);

  add_dead_letters(verbs);

  auto prefix = std::make_shared<std::string>();
  CLI::App* metrics_verb =
      verbs.add("metrics", "the server's figures in Prometheus' text form", "metrics orchestrator_host_",
                [prefix](Session& session) { return metrics(session, *prefix); });
  metrics_verb->add_option("PREFIX", *prefix, "only names that begin so");
}

}  // namespace fusebox::cli::fleet
