#include <utility>

#include "fleet/api/frame/paging.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

base::Task<Answer> register_host(Call& call) {
  FB_CO_TRY(HostRequest request, read_host(call.body));
  auto outcome = co_await call.services.engine.register_host(call.home(), call.info(), std::move(request));
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> explain(Call& call) {
  FB_CO_TRY(CreateRequest request, read_explain(call.body));
  auto json = co_await call.services.engine.explain(call.home(), std::move(request));
  if (!json) co_return std::unexpected(std::move(json.error()));
  co_return json_reply(std::move(*json));
}

base::Task<Answer> list_hosts(Call& call) {
  FB_CO_TRY(const std::string after, read_cursor(call.text("cursor")));
  const std::uint32_t limit = page_limit(call.query.get("limit"));
  auto rows = co_await call.services.store.get<std::vector<HostRow>>(
      call.home(), [&](Reader& reader) { return reader.hosts(after, limit + 1); });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  const bool more = rows->size() > limit;
  if (more) rows->resize(limit);
  std::string json = R"({"hosts":[)";
  for (const HostRow& row : *rows) {
    if (json.back() != '[') json += ',';
    json += render_host(row);
  }
  json += ']';
  if (more) json.append(R"(,"next_cursor":")").append(write_cursor(rows->back().host_id)).append("\"");
  json += '}';
  co_return json_reply(std::move(json));
}

base::Task<Answer> get_host(Call& call) {
  auto row = co_await call.services.store.get<std::optional<HostRow>>(
      call.home(), [&](Reader& reader) { return reader.host(call.id()); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  if (!*row) co_return refuse(404, "host " + call.id() + " not found", Details{{"host_id", call.id()}});
  co_return json_reply(render_host(**row));
}

base::Task<Answer> cordon_host(Call& call) {
  FB_CO_CHECK(co_await call.services.engine.cordon(call.home(), call.info(), call.id(), true));
  co_return no_content();
}

base::Task<Answer> uncordon_host(Call& call) {
  FB_CO_CHECK(co_await call.services.engine.cordon(call.home(), call.info(), call.id(), false));
  co_return no_content();
}

base::Task<Answer> drain_host(Call& call) {
  FB_CO_TRY(const DrainHostRequest request, read_drain_host(call.body));
  FB_CO_CHECK(co_await call.services.engine.drain_host(call.home(), call.info(), call.id(), request.evict,
                                                       request.timeout_seconds));
  co_return no_content();
}

base::Task<Answer> heartbeat(Call& call) {
  FB_CO_TRY(HeartbeatRequest request, read_heartbeat(call.body));
  FB_CO_CHECK(co_await call.services.engine.heartbeat(call.home(), call.info(), call.id(), std::move(request)));
  co_return no_content();
}

base::Task<Answer> remove_host(Call& call) {
  FB_CO_CHECK(co_await call.services.engine.remove_host(call.home(), call.info(), call.id()));
  co_return no_content();
}

}  // namespace fusebox::fleet::handle
