#include <utility>

#include "fleet/api/frame/paging.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

struct HostAnswer {
  HostRow row;
  Reader::BoundDevices bound;
};
base::Result<HostAnswer> with_devices(Reader& reader, HostRow row) {
  HostAnswer answer{std::move(row), {}};
  const bool has_devices = answer.row.gpus_total > 0 || !answer.row.mig_profiles.empty();
  if (has_devices) {
    FB_TRY(answer.bound, reader.bound_devices(answer.row.host_id));
  }
  return answer;
}

}  // namespace

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
  auto hosts = co_await call.services.store.get<std::vector<HostAnswer>>(
      call.home(), [&](Reader& reader) -> base::Result<std::vector<HostAnswer>> {
        FB_TRY(auto rows, reader.hosts(after, limit + 1));
        std::vector<HostAnswer> found;
        for (HostRow& row : rows) {
          FB_TRY(HostAnswer one, with_devices(reader, std::move(row)));
          found.push_back(std::move(one));
        }
        return found;
      });
  if (!hosts) co_return std::unexpected(std::move(hosts.error()));
  const bool more = hosts->size() > limit;
  if (more) hosts->resize(limit);
  std::string json = R"({"hosts":[)";
  for (const HostAnswer& host : *hosts) {
    if (json.back() != '[') json += ',';
    json += render_host(host.row, host.bound);
  }
  json += ']';
  if (more) json.append(R"(,"next_cursor":")").append(write_cursor(hosts->back().row.host_id)).append("\"");
  json += '}';
  co_return json_reply(std::move(json));
}

base::Task<Answer> get_host(Call& call) {
  auto host = co_await call.services.store.get<std::optional<HostAnswer>>(
      call.home(), [&](Reader& reader) -> base::Result<std::optional<HostAnswer>> {
        FB_TRY(auto row, reader.host(call.id()));
        if (!row) return std::optional<HostAnswer>();
        FB_TRY(HostAnswer found, with_devices(reader, std::move(*row)));
        return std::optional<HostAnswer>(std::move(found));
      });
  if (!host) co_return std::unexpected(std::move(host.error()));
  if (!*host) co_return refuse(404, "host " + call.id() + " not found", Details{{"host_id", call.id()}});
  co_return json_reply(render_host((*host)->row, (*host)->bound));
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
