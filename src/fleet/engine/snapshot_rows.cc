#include "fleet/engine/snapshot_rows.h"

#include "base/json.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

std::string metadata_of(const SnapshotRequest& request) {
  StringMap all = request.metadata;
  if (!request.comment.empty()) all["comment"] = request.comment;
  if (!request.export_ref.empty()) all["export_ref"] = request.export_ref;
  base::json::Writer out;
  out.begin_object();
  for (const auto& [key, value] : all) out.key(key).string(value);
  return out.end_object().take();
}

std::string exports_of(const SnapshotRequest& request, base::Nanos at) {
  if (request.export_ref.empty()) return "[]";
  base::json::Writer out;
  out.begin_array().begin_object().key("destination").string(request.export_ref);
  out.key("status").string(request.export_status.empty() ? "pending" : request.export_status);
  out.key("requested_at").string(api_time(at)).key("updated_at").string(api_time(at)).end_object();
  return out.end_array().take();
}

// Newest ready or restoring snapshot of the same environment.
base::Task<base::Result<std::string>> parent_of(Core& core, std::string vm_id) {
  SnapshotFilter filter;
  filter.vm_id = vm_id;
  FB_CO_TRY(const auto rows, co_await core.get<std::vector<SnapshotRow>>(
                                 [&](Reader& reader) { return reader.snapshots(filter, {}, 50); }));
  for (const SnapshotRow& row : rows) {
    if (row.snapshot_id.starts_with("fork-seed-")) continue;
    if (row.state == SnapshotState::ready || row.state == SnapshotState::restoring) co_return row.snapshot_id;
  }
  co_return std::string();
}

}  // namespace

base::Task<base::Result<void>> check_quota(Core& core, std::string tenant, std::string mode) {
  const EngineOptions& options = core.parts.options;
  if (mode == "build" || (options.snapshot_max_count <= 0 && options.snapshot_max_bytes <= 0))
    co_return base::Result<void>{};
  FB_CO_TRY(const Reader::SnapshotUse use,
            co_await core.get<Reader::SnapshotUse>([&](Reader& reader) { return reader.snapshot_use(tenant); }));
  if (options.snapshot_max_count > 0 && use.count >= static_cast<std::uint64_t>(options.snapshot_max_count))
    co_return refuse(409, "snapshot quota reached: " + std::to_string(use.count) + " of " +
                              std::to_string(options.snapshot_max_count) + " snapshots");
  if (options.snapshot_max_bytes > 0 && use.bytes >= static_cast<std::uint64_t>(options.snapshot_max_bytes))
    co_return refuse(409, "snapshot quota reached: " + std::to_string(use.bytes) + " of " +
                              std::to_string(options.snapshot_max_bytes) + " bytes");
  co_return base::Result<void>{};
}

base::Task<base::Result<SnapshotRow>> new_snapshot_row(Core& core, const RequestInfo& info, const EnvironmentRow& row,
                                                       const SnapshotRequest& request, const Place& place) {
  SnapshotRow snapshot;
  const base::Nanos at = core.wall();
  snapshot.snapshot_id = core.new_id("snap-" + std::to_string(at.count() / 1'000'000'000) + "-", 6);
  snapshot.vm_id = row.vm_id;
  snapshot.task_id = row.task_id;
  snapshot.host_id = row.host_id;
  snapshot.tenant_id = !request.layer_key.empty() ? info.caller.layer_scope
                       : !row.task_id.empty()     ? row.task_id
                                                  : row.vm_id;
  snapshot.owner_tenant_id = row.tenant_id;
  FB_CO_TRY(snapshot.parent_snapshot_id, co_await parent_of(core, row.vm_id));
  snapshot.mode = request.mode;
  snapshot.kind = request.live ? "live" : "disk";
  snapshot.backend = row.backend;
  snapshot.arch = place.host ? (place.host->row.arch.empty() ? "amd64" : place.host->row.arch) : "amd64";
  snapshot.layer_key = request.layer_key;
  snapshot.state = SnapshotState::creating;
  const std::int64_t keep =
      request.retention_seconds > 0 ? request.retention_seconds : core.parts.options.snapshot_retention_seconds;
  if (keep > 0) snapshot.retention_until = at + base::Nanos{seconds{keep}};
  snapshot.metadata_json = metadata_of(request);
  snapshot.exports_json = exports_of(request, at);
  snapshot.created_at = snapshot.updated_at = snapshot.last_used_at = at;
  co_return snapshot;
}

}  // namespace fusebox::fleet
