// fusebox keys
#include <CLI/CLI.hpp>
#include <ostream>

#include "base/bytes.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;

struct CreateOptions {
  std::string label, tenant, expires;
  std::vector<std::string> scopes;
};

// The key alone on standard output: it is shown this once.
base::Result<int> create(Session& session, const CreateOptions& options) {
  json::Writer out;
  out.begin_object();
  if (!options.label.empty()) out.key("label").string(base::to_utf8(options.label));
  if (!options.tenant.empty()) out.key("tenant_id").string(base::to_utf8(options.tenant));
  if (!options.expires.empty()) {
    FB_TRY(const std::int64_t seconds, seconds_in("--expires", options.expires));
    out.key("expires_in_seconds").integer(seconds);
  }
  if (!options.scopes.empty()) {
    out.key("scopes").begin_array();
    for (const std::string& scope : options.scopes) out.string(base::to_utf8(scope));
    out.end_array();
  }
  ApiRequest request{.method = "POST", .path = "/v1/api-keys"};
  request.json = out.end_object().take();
  FB_TRY(ApiClient* const api, session.api());
  FB_TRY(const ApiReply reply, api->call(std::move(request)));
  if (session.format() != Format::table) return show_id(session, kKeys, reply);
  FB_TRY(const json::Document made, reply.document());
  session.out() << printable(text_member(*made.root, "key")) << '\n';
  session.note("key " + text_member(*made.root, "id") + " was made; this is the only time it is shown");
  return kDone;
}

base::Result<int> list(Session& session, const ListOptions& page) {
  ApiRequest request{.path = "/v1/api-keys"};
  return show_list(session, kKeys, std::move(request), page);
}

base::Result<int> revoke(Session& session, const std::vector<std::string>& ids) {
  FB_TRY(ApiClient* const api, session.api());
  return for_each(session, kKeys, ids, [&](const std::string& id) -> base::Result<void> {
    FB_CHECK(api->call({.method = "DELETE", .path = api_path({"v1", "api-keys", id})}));
    FB_CHECK(show_done(session, id, "revoked"));
    return {};
  });
}

}  // namespace

void add_keys(CLI::App& app, VerbContext& context) {
  const Verbs verbs = add_group(app, context, "keys", "keys that programs present to a control plane",
                                "create --label ci --scope env:write --scope env:exec --expires 720h");
  auto made = std::make_shared<CreateOptions>();
  CLI::App* create_verb = verbs.add("create", "make a key and print it", "create --label ci --scope env:write",
                                    [made](Session& session) { return create(session, *made); });
  create_verb->add_option("--label", made->label, "for people");
  create_verb
      ->add_option("--scope", made->scopes,
                   "env:read, env:write, env:exec, computer, snapshot:read, snapshot:write, host:read, host:write, "
                   "host:agent, key:admin, audit:read, metrics:read or *; may be repeated (default: the reference's)")
      ->allow_extra_args(false);
  create_verb->add_option("--tenant", made->tenant, "it sees this tenant's objects alone");
  create_verb->add_option("--expires", made->expires, "it ends after: 24h, 720h");

  auto page = std::make_shared<ListOptions>();
  CLI::App* ls =
      verbs.add("ls", "list keys, revoked ones too", "ls", [page](Session& session) { return list(session, *page); });
  add_list_options(*ls, *page);

  auto ids = std::make_shared<std::vector<std::string>>();
  CLI::App* revoke_verb = verbs.add("revoke", "end keys at once", "revoke ak_0123456789abcdef",
                                    [ids](Session& session) { return revoke(session, *ids); });
  revoke_verb->add_option("ID", *ids, "keys")->required();
}

}  // namespace fusebox::cli::fleet
