// Reads are answered from views that are ready to send; everything that changes an environment is the engine's.
#include <utility>

#include "fleet/api/frame/paging.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

std::unexpected<base::Error> unknown(std::string_view vm_id) {
  return refuse(404, "vm " + std::string(vm_id) + " not found", Details{{"vm_id", std::string(vm_id)}});
}

bool is_unreachable(Engine& engine, std::string_view host_id) {
  return !host_id.empty() && !engine.host_reachable(host_id);
}

// Views that were written by older rules are made anew, inside the same read.
base::Result<void> renew_old_views(Reader& reader, std::vector<EnvironmentView>& views) {
  for (EnvironmentView& view : views) {
    if (view.view_version == kViewVersion) continue;
    FB_TRY(const auto row, reader.environment(view.vm_id));
    if (row) view.view_json = render_environment(*row);
  }
  return {};
}

}  // namespace

base::Task<Answer> list_environments(Call& call) {
  EnvironmentFilter filter{call.principal->tenant, call.maybe("task_id"), call.maybe("state"), call.maybe("host_id")};
  FB_CO_TRY(const std::string after, read_cursor(call.text("cursor")));
  const std::uint32_t limit = page_limit(call.query.get("limit"));
  auto views = co_await call.services.store.get<std::vector<EnvironmentView>>(
      call.home(), [&](Reader& reader) -> base::Result<std::vector<EnvironmentView>> {
        FB_TRY(auto found, reader.environment_views(filter, after, limit + 1));
        FB_CHECK(renew_old_views(reader, found));
        return found;
      });
  if (!views) co_return std::unexpected(std::move(views.error()));
  const bool more = views->size() > limit;
  if (more) views->resize(limit);
  std::size_t bytes = 256;
  for (const EnvironmentView& view : *views) bytes += view.view_json.size() + 32;
  std::string json;
  json.reserve(bytes);
  json = R"({"environments":[)";
  for (const EnvironmentView& view : *views) {
    if (json.back() != '[') json += ',';
    json += is_unreachable(call.services.engine, view.host_id) ? with_unreachable_host(view.view_json) : view.view_json;
  }
  json += ']';
  if (more) json.append(R"(,"next_cursor":")").append(write_cursor(views->back().vm_id)).append("\"");
  json += '}';
  co_return json_reply(std::move(json));
}

base::Task<Answer> get_environment(Call& call) {
  Services& services = call.services;
  ViewCache::Ticket ticket;
  std::shared_ptr<const CachedView> view = services.views.get(call.id(), ticket);
  if (view == nullptr) {
    auto row = co_await services.store.get<std::optional<EnvironmentRow>>(
        call.home(), [&](Reader& reader) { return reader.environment(call.id()); });
    if (!row) co_return std::unexpected(std::move(row.error()));
    if (!*row) co_return unknown(call.id());
    std::string body = (*row)->view_version == kViewVersion ? std::move((*row)->view_json) : render_environment(**row);
    body += '\n';
    view = std::make_shared<const CachedView>(CachedView{std::move((*row)->tenant_id), std::move((*row)->host_id),
                                                         std::make_shared<const std::string>(std::move(body))});
    if (!services.store.replicated()) services.views.put(call.id(), ticket, view);
  }
  const std::string& tenant = call.principal->tenant;
  if (!tenant.empty() && tenant != view->tenant_id) co_return unknown(call.id());
  if (is_unreachable(services.engine, view->host_id)) {
    const std::string_view json = std::string_view(*view->body).substr(0, view->body->size() - 1);
    co_return json_reply(with_unreachable_host(json));
  }
  Reply reply;
  reply.shared_body = view->body;
  co_return reply;
}

base::Task<Answer> create_environment(Call& call) {
  Engine& engine = call.services.engine;
  CreateFacts facts;
  facts.script_timeout_max_seconds = call.services.options.script_timeout_max_seconds;
  facts.host_exists = [&engine](std::string_view host_id) { return engine.host_exists(host_id); };
  auto request = read_create(call.body, facts);
  if (!request) {
    if (call.idempotency_key.empty()) co_return std::unexpected(std::move(request.error()));
    auto earlier = co_await engine.replay(call.home(), call.info());
    if (!earlier) co_return std::unexpected(std::move(earlier.error()));
    if (!*earlier) co_return std::unexpected(std::move(request.error()));
    co_return reply_of(std::move(**earlier));
  }
  auto outcome = co_await engine.create(call.home(), call.info(), std::move(*request));
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> delete_environment(Call& call) {
  FB_CO_CHECK(co_await call.services.engine.destroy(call.home(), call.info(), call.id()));
  co_return no_content();
}

base::Task<Answer> drain_environment(Call& call) {
  auto outcome = co_await call.services.engine.drain(call.home(), call.info(), call.id());
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> rotate_token(Call& call) {
  FB_CO_CHECK(co_await call.services.engine.rotate_token(call.home(), call.info(), call.id()));
  co_return no_content();
}

base::Task<Answer> fork_environment(Call& call) {
  FB_CO_TRY(ForkRequest request, read_fork(call.body));
  auto outcome = co_await call.services.engine.fork(call.home(), call.info(), call.id(), std::move(request));
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> migrate_environment(Call& call) {
  FB_CO_TRY(MigrateRequest request, read_migrate(call.body));
  auto outcome = co_await call.services.engine.migrate(call.home(), call.info(), call.id(), std::move(request));
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> put_secrets(Call& call) {
  // What the manifest wants is sealed with the environment: the engine holds the secrets against it.
  FB_CO_TRY(StringMap secrets, read_secrets(call.body, {}));
  FB_CO_CHECK(co_await call.services.engine.put_secrets(call.home(), call.info(), call.id(), std::move(secrets),
                                                        call.flag("restart")));
  co_return no_content();
}

}  // namespace fusebox::fleet::handle
