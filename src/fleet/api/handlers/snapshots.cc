#include <utility>

#include "fleet/api/frame/paging.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

constexpr base::Nanos kUsedEvery{std::chrono::seconds{30}};  // contract 10.5: a time of use is written at most so often

std::unexpected<base::Error> unknown(std::string_view id) {
  return refuse(404, "snapshot not found: " + std::string(id));
}

std::string normal_arch(std::string arch) {
  if (arch == "x86_64") return "amd64";
  if (arch == "aarch64") return "arm64";
  return arch;
}

}  // namespace

base::Task<Answer> create_snapshot(Call& call) {
  FB_CO_TRY(SnapshotRequest request, read_snapshot(call.body));
  auto outcome = co_await call.services.engine.snapshot(call.home(), call.info(), call.id(), std::move(request));
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> list_snapshots(Call& call) {
  SnapshotFilter filter;
  filter.tenant = call.principal->tenant;
  filter.vm_id = call.maybe("vm_id");
  filter.task_id = call.maybe("task_id");
  filter.tenant_id = call.maybe("tenant_id");
  filter.state = call.maybe("state");
  filter.mode = call.maybe("mode");
  filter.name = call.maybe("name");
  filter.layer_key = call.maybe("layer_key");
  filter.arch = call.maybe("arch");
  if (filter.arch) filter.arch = normal_arch(std::move(*filter.arch));
  filter.digest = call.maybe("digest");
  filter.host_id = call.maybe("host_id");
  FB_CO_TRY(const auto after, read_snapshot_cursor(call.text("cursor")));
  const std::uint32_t limit = page_limit(call.query.get("limit"));
  auto rows = co_await call.services.store.get<std::vector<SnapshotRow>>(
      call.home(), [&](Reader& reader) { return reader.snapshots(filter, after, limit + 1); });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  const bool more = rows->size() > limit;
  if (more) rows->resize(limit);
  std::string json = R"({"snapshots":[)";
  for (const SnapshotRow& row : *rows) {
    if (json.back() != '[') json += ',';
    json += render_snapshot(row);
  }
  json += ']';
  if (more) {
    const SnapshotRow& last = rows->back();
    json.append(R"(,"next_cursor":")").append(write_snapshot_cursor({last.created_at, last.snapshot_id})).append("\"");
  }
  json += '}';
  co_return json_reply(std::move(json));
}

base::Task<Answer> resolve_snapshot(Call& call) {
  const std::string layer_key = call.text("layer_key");
  if (layer_key.empty()) co_return refuse(400, "layer_key is required");
  const std::string arch = normal_arch(call.text("arch"));
  if (arch.empty()) co_return refuse(400, "arch is required");
  auto row = co_await call.services.store.get<std::optional<SnapshotRow>>(
      call.home(), [&](Reader& reader) { return reader.resolve_layer(call.principal->layer_scope, layer_key, arch); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  if (!*row) co_return json_reply(R"({"found":false})");
  const base::Nanos now = call.services.clock.wall();
  if (now - (*row)->last_used_at >= kUsedEvery)
    call.services.side_writes.add([id = (*row)->snapshot_id, now](Tx& tx) { tx.touch_snapshot(id, now); });
  co_return json_reply(R"({"found":true,"snapshot":)" + render_snapshot(**row) + "}");
}

base::Task<Answer> get_snapshot(Call& call) {
  auto row = co_await call.services.store.get<std::optional<SnapshotRow>>(
      call.home(), [&](Reader& reader) { return reader.snapshot(call.id()); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  const std::string& tenant = call.principal->tenant;
  if (!*row || (!tenant.empty() && (*row)->owner_tenant_id != tenant)) co_return unknown(call.id());
  co_return json_reply(render_snapshot(**row));
}

base::Task<Answer> restore_snapshot(Call& call) {
  auto outcome = co_await call.services.engine.restore(call.home(), call.info(), call.id());
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> fork_snapshot(Call& call) {
  FB_CO_TRY(ForkSnapshotRequest request, read_fork_snapshot(call.body));
  auto outcome = co_await call.services.engine.fork_snapshot(call.home(), call.info(), call.id(), std::move(request));
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return reply_of(std::move(*outcome));
}

base::Task<Answer> delete_snapshot(Call& call) {
  FB_CO_CHECK(co_await call.services.engine.delete_snapshot(call.home(), call.info(), call.id()));
  co_return no_content();
}

}  // namespace fusebox::fleet::handle
