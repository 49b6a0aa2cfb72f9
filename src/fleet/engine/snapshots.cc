#include "fleet/engine/snapshots.h"

#include "base/json.h"
#include "fleet/engine/boot.h"
#include "fleet/engine/create.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::Nanos kSnapshotLimit{seconds{630}};  // contract 14.2
constexpr base::Nanos kRestoreLimit{seconds{180}};
constexpr base::Nanos kDeleteLimit{seconds{60}};
constexpr base::Nanos kQuickLimit{seconds{10}};
constexpr base::Nanos kCreatingMax{minutes{10}};  // contract 15.3
constexpr int kRetryShiftMax = 6;                 // 1, 2, 4 .. 64 minutes

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

// The agent's own id wins; the row is renamed in the transaction that makes it ready (10.3).
base::Task<base::Result<void>> commit_ready(Core& core, SnapshotRow snapshot, const host::SnapshotRecord& record,
                                            OperationRow* op, Outcome& outcome) {
  const base::Nanos at = core.wall();
  const std::string chosen = snapshot.snapshot_id;
  const std::string named = record.snapshot_id.empty() ? chosen : record.snapshot_id;
  snapshot.snapshot_id = named;
  snapshot.digest = record.digest;
  snapshot.size_bytes = static_cast<std::int64_t>(record.size_bytes);
  if (!record.kind.empty()) snapshot.kind = record.kind;
  snapshot.state = SnapshotState::ready;
  snapshot.updated_at = at;
  outcome = {.status = 201, .json = render_snapshot(snapshot), .location = {}, .replayed = false};
  if (op != nullptr) {
    op->snapshot_id = named;
    finish_operation(*op, outcome, at);
  }
  co_return co_await core.commit("snapshot_ready", [&](Tx& tx) -> base::Result<void> {
    if (named != chosen) tx.rename_snapshot(chosen, named);
    tx.update_snapshot(snapshot, SnapshotState::creating);
    if (op != nullptr) tx.update_operation(*op);
    tx.add_event(event_of("snapshot", named, "snapshot.created", at));
    return {};
  });
}

base::Task<base::Result<Outcome>> run_snapshot(Core& core, EnvironmentRow row, SnapshotRow snapshot, OperationRow op,
                                               SnapshotRequest request, Place place) {
  const AtWork at_work(core, op.op_id);
  const base::Nanos began = core.now();
  host::SnapshotSpec spec;
  spec.comment = (request.comment.empty() ? std::string() : request.comment + " ") + "op:" + op.op_id;
  spec.live = request.live;
  if (place.has("snapshot-id")) spec.snapshot_id = snapshot.snapshot_id;
  auto made = co_await place.provider->snapshot(core.context(row, &op, kSnapshotLimit), row.host_vm_name, spec);
  core.heard(place, made);
  base::Result<Outcome> outcome = Outcome{};
  if (made) {
    auto ready = co_await commit_ready(core, snapshot, *made, &op, *outcome);
    if (!ready) outcome = std::unexpected(std::move(ready.error()));
    core.parts.meters.snapshot_done("create", row.backend, std::chrono::duration<double>(core.now() - began).count());
  } else {
    const auto* failure = dynamic_cast<const host::WireFailure*>(made.error().detail.get());
    const bool unknown = failure != nullptr && failure->status == 0 && failure->sent;
    if (made.error().code == base::Errc::unsupported)
      outcome = refuse(501, made.error().message);
    else if (failure != nullptr && failure->status == 0)
      outcome = refuse(503, "host did not answer: " + made.error().message, {{"vm_id", row.vm_id}});
    else
      outcome = refuse(500, "snapshot of vm " + row.vm_id + " failed: " + made.error().message);
    const base::Nanos at = core.wall();
    finish_operation(op, outcome, at);
    const auto noted = co_await core.commit("snapshot_failed", [&](Tx& tx) -> base::Result<void> {
      tx.update_operation(op);
      if (unknown) return {};  // it may be there: the reconciler looks for the operation's mark
      SnapshotRow failed = snapshot;
      failed.state = SnapshotState::error;
      failed.last_error = made.error().message;
      failed.updated_at = at;
      tx.update_snapshot(failed, SnapshotState::creating);
      return {};
    });
    if (!noted) core.log(base::LogLevel::warn, "outcome not recorded", {{"vm_id", row.vm_id}});
  }
  core.parts.meters.operation_ended("snapshot", outcome ? "done" : "failed");
  core.outcomes.finish(op.op_id, outcome);
  co_return outcome;
}

base::Result<void> check_snapshot_provider(const EnvironmentRow& row, const Place& place, bool live) {
  if (row.gpus > 0) return refuse(409, "a gpu environment cannot be snapshotted: its devices hold state of their own");
  if (place.host && row.backend == "qemu" && !place.has("snapshot"))
    return refuse(501, "host \"" + row.host_id + "\" does not support snapshots");
  if (!live) return {};
  const bool knows_live = row.backend == "firecracker";
  if (!knows_live) return refuse(501, "backend \"" + row.backend + "\" has no live snapshots");
  return {};
}

// The work goes on when its caller has gone.
base::Task<void> snapshot_in_background(Core& core, EnvironmentRow row, SnapshotRow snapshot, OperationRow op,
                                        SnapshotRequest request, Place place) {
  (void)co_await run_snapshot(core, std::move(row), std::move(snapshot), std::move(op), std::move(request),
                              std::move(place));
}

}  // namespace

base::Task<base::Result<Outcome>> create_snapshot(Core& core, RequestInfo info, std::string vm_id,
                                                  SnapshotRequest request) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  FB_CO_TRY(const EnvironmentRow row, co_await core.environment(vm_id, info.caller.tenant));
  if (row.state != EnvironmentState::running) co_return wrong_state(row, "running");
  if (request.live && !request.layer_key.empty()) co_return refuse(400, "live and layer_key are mutually exclusive");
  std::string scope = row.task_id;
  if (!request.layer_key.empty()) scope = info.caller.layer_scope;
  FB_CO_CHECK(co_await check_quota(core, std::move(scope), request.mode));
  FB_CO_TRY(Place place, core.place_of(row));
  FB_CO_CHECK(check_snapshot_provider(row, place, request.live));
  // A backend that knows live on an agent that is too old makes a disk snapshot and says so (26 row 9).
  if (request.live && !place.has("live-snapshot")) request.live = false;
  FB_CO_TRY(SnapshotRow snapshot, co_await new_snapshot_row(core, info, row, request, place));
  OperationRow op = core.new_operation("snapshot", row, info);
  op.step = "snapshot_sent";
  op.snapshot_id = snapshot.snapshot_id;
  snapshot.op_id = op.op_id;
  auto recorded = co_await core.commit("snapshot_recorded", [&](Tx& tx) -> base::Result<void> {
    tx.insert_snapshot(snapshot);
    tx.insert_operation(op);
    return {};
  });
  if (!recorded) {
    if (recorded.error().code == base::Errc::exists)
      co_return refuse(409, "another snapshot of vm " + vm_id + " is under way", {{"vm_id", vm_id}});
    co_return std::unexpected(std::move(recorded.error()));
  }
  core.parts.meters.operation_started("snapshot");
  core.outcomes.begin(op.op_id);
  const std::string op_id = op.op_id;
  std::string first_view = render_snapshot(snapshot);
  std::string location = "/v1/snapshots/" + snapshot.snapshot_id;
  core.jobs.spawn(snapshot_in_background(core, row, std::move(snapshot), std::move(op), std::move(request), place));
  co_return co_await answer_of(core, op_id, info, std::move(first_view), std::move(location));
}

base::Task<base::Result<void>> settle_creating(Core& core, SnapshotRow snapshot) {
  FB_CO_TRY(const Place place, core.place_of(snapshot.host_id, snapshot.backend));
  EnvironmentRow row;
  auto found = co_await core.environment(snapshot.vm_id, {});
  if (found) row = std::move(*found);
  const std::string name = row.host_vm_name.empty() ? snapshot.vm_id : row.host_vm_name;
  host::CallContext context;
  context.limit = kQuickLimit;
  auto listed = co_await place.provider->snapshots(context, name);
  core.heard(place, listed);
  const auto absent = [&] { return !listed && listed.error().code == base::Errc::not_found; };
  if (absent() && place.has("store-delete")) {  // the environment is gone; what was made of it may be in the store
    listed = co_await place.provider->all_snapshots(context);
    core.heard(place, listed);
  }
  if (listed) {
    for (const host::SnapshotRecord& record : *listed) {
      if (!record.comment.ends_with("op:" + snapshot.op_id)) continue;
      Outcome outcome;
      co_return co_await commit_ready(core, snapshot, record, nullptr, outcome);
    }
  }
  const bool told = listed || absent();
  if (!told || core.wall() - snapshot.created_at < kCreatingMax) co_return base::Result<void>{};
  const base::Nanos at = core.wall();
  snapshot.state = SnapshotState::error;
  snapshot.last_error = "the snapshot was interrupted and is not on its host";
  snapshot.updated_at = at;
  co_return co_await core.commit("snapshot_given_up", [&](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(snapshot, SnapshotState::creating);
    return {};
  });
}

base::Task<base::Result<void>> run_restore(Core& core, EnvironmentRow row, SnapshotRow snapshot, OperationRow op) {
  const AtWork at_work(core, op.op_id);
  const base::Nanos began = core.now();
  base::Result<void> restored;
  const auto place = core.place_of(row);
  if (place) {
    restored = co_await place->provider->restore(core.context(row, &op, kRestoreLimit), row.host_vm_name,
                                                 snapshot.snapshot_id);
    core.heard(*place, restored);
    if (restored && snapshot.kind != "live") restored = co_await rearm(core, row, "restore");
  } else {
    restored = std::unexpected(place.error());
  }
  if (!restored && restored.error().code == base::Errc::stale) {
    core.outcomes.finish(op.op_id, std::unexpected(restored.error()));
    co_return restored;
  }
  const base::Nanos at = core.wall();
  base::Result<Outcome> outcome = Outcome{.status = 204, .json = {}, .location = {}, .replayed = false};
  if (!restored) {
    const bool absent = restored.error().code == base::Errc::not_found;
    if (absent)
      outcome = refuse(404, "snapshot not found: " + snapshot.snapshot_id + " is not on its host");
    else if (restored.error().code == base::Errc::unsupported)
      outcome = refuse(501, restored.error().message);
    else
      outcome = refuse(500, "restore of vm " + row.vm_id + " failed: " + restored.error().message);
    snapshot.last_error = restored.error().message;
    snapshot.state = absent ? SnapshotState::error : SnapshotState::ready;
  } else {
    snapshot.state = SnapshotState::ready;
    snapshot.last_used_at = at;
  }
  snapshot.updated_at = row.updated_at = at;
  row.op_id.clear();
  refresh_view(row);
  finish_operation(op, outcome, at);
  auto ended = co_await core.commit("restore_done", [&](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(snapshot, SnapshotState::restoring);
    tx.update_environment(row, row.generation);
    tx.update_operation(op);
    if (outcome) tx.add_event(event_of("snapshot", snapshot.snapshot_id, "snapshot.restored", at));
    return {};
  });
  core.parts.meters.snapshot_done("restore", row.backend, std::chrono::duration<double>(core.now() - began).count());
  core.parts.meters.operation_ended("restore", outcome ? "done" : "failed");
  core.outcomes.finish(op.op_id, outcome);
  if (!ended) co_return ended;
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return base::Result<void>{};
}

base::Task<base::Result<Outcome>> restore_snapshot(Core& core, RequestInfo info, std::string snapshot_id) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  FB_CO_TRY(SnapshotRow snapshot, co_await core.snapshot(snapshot_id, info.caller.tenant));
  auto found = co_await core.environment(snapshot.vm_id, info.caller.tenant);
  if (!found) co_return refuse(409, "environment " + snapshot.vm_id + " of snapshot " + snapshot_id + " is gone");
  EnvironmentRow row = std::move(*found);
  if (row.state != EnvironmentState::running) co_return wrong_state(row, "running");
  if (snapshot.state != SnapshotState::ready)
    co_return refuse(409, "snapshot " + snapshot_id + " is " + std::string(to_string(snapshot.state)) + ", not ready");
  // An environment of the same name that was made since may live elsewhere.
  if (snapshot.host_id != row.host_id)
    co_return refuse(409,
                     "snapshot " + snapshot_id + " is on host \"" + snapshot.host_id + "\", but vm " + row.vm_id +
                         " is on host \"" + row.host_id + "\": a restore is made in place; fork the snapshot",
                     {{"vm_id", row.vm_id}, {"host_id", snapshot.host_id}});
  const base::Nanos at = core.wall();
  const std::uint64_t expected = row.generation++;
  OperationRow op = core.new_operation("restore", row, info);
  op.snapshot_id = snapshot_id;
  op.step = "restore_recorded";
  row.op_id = op.op_id;
  row.updated_at = snapshot.updated_at = at;
  refresh_view(row);
  snapshot.state = SnapshotState::restoring;
  snapshot.op_id = op.op_id;
  auto recorded = co_await core.commit("restore_recorded", [&](Tx& tx) -> base::Result<void> {
    tx.update_environment(row, expected);
    tx.update_snapshot(snapshot, SnapshotState::ready);
    tx.insert_operation(op);
    return {};
  });
  if (!recorded) {
    if (recorded.error().code == base::Errc::stale || recorded.error().code == base::Errc::exists)
      co_return refuse(409, "another operation on vm " + row.vm_id + " is under way", {{"vm_id", row.vm_id}});
    co_return std::unexpected(std::move(recorded.error()));
  }
  core.parts.meters.operation_started("restore");
  core.outcomes.begin(op.op_id);
  const std::string op_id = op.op_id;
  const std::string view = render_snapshot(snapshot);
  const auto work = [](Core& on, EnvironmentRow environment, SnapshotRow from, OperationRow with) -> base::Task<void> {
    (void)co_await run_restore(on, std::move(environment), std::move(from), std::move(with));
  };
  core.jobs.spawn(work(core, std::move(row), std::move(snapshot), std::move(op)));
  co_return co_await answer_of(core, op_id, info, view, "/v1/snapshots/" + snapshot_id);
}

namespace {

base::Task<base::Result<void>> commit_deleted(Core& core, const SnapshotRow& snapshot, std::string event, bool leaked) {
  const base::Nanos at = core.wall();
  co_return co_await core.commit("snapshot_deleted", [&](Tx& tx) -> base::Result<void> {
    tx.delete_snapshot(snapshot.snapshot_id);
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, event, at));
    if (!leaked) return {};
    tx.put_leaked_artifact({.host_id = snapshot.host_id,
                            .snapshot_id = snapshot.snapshot_id,
                            .digest = snapshot.digest,
                            .last_error = "the agent cannot delete snapshots",
                            .size_bytes = snapshot.size_bytes,
                            .first_seen_at = at,
                            .last_try_at = at});
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, "snapshot.leaked", at));
    return {};
  });
}

}  // namespace

base::Task<base::Result<void>> run_snapshot_deletion(Core& core, SnapshotRow snapshot, std::string event) {
  FB_CO_TRY(const Place place, core.place_of(snapshot.host_id, snapshot.backend));
  host::CallContext context;
  context.limit = kDeleteLimit;
  std::string name;
  if (!snapshot.vm_id.empty()) {
    auto row = co_await core.environment(snapshot.vm_id, {});
    name = row ? row->host_vm_name : snapshot.vm_id;
    if (!row && place.has("store-delete")) name.clear();
  }
  auto deleted = co_await place.provider->delete_snapshot(context, name, snapshot.snapshot_id);
  core.heard(place, deleted);
  if (deleted) co_return co_await commit_deleted(core, snapshot, event, false);
  if (deleted.error().code == base::Errc::not_found)
    co_return co_await commit_deleted(core, snapshot, event, place.host != nullptr && !place.has("snapshot-delete"));
  const base::Nanos at = core.wall();
  const std::string failure = deleted.error().message;
  snapshot.state = SnapshotState::error;
  snapshot.last_error = failure;
  snapshot.next_retry_at = at + base::Nanos{minutes{std::int64_t{1} << std::min(snapshot.retry_count, kRetryShiftMax)}};
  ++snapshot.retry_count;
  snapshot.updated_at = at;
  FB_CO_CHECK(co_await core.commit("snapshot_delete_failed", [&](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(snapshot, SnapshotState::deleting);
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, "snapshot.gc_failed", at, reason_json(failure)));
    return {};
  }));
  co_return refuse(500, "snapshot " + snapshot.snapshot_id + " could not be deleted on its host: " + failure);
}

base::Task<base::Result<void>> delete_snapshot(Core& core, RequestInfo info, std::string snapshot_id) {
  FB_CO_TRY(SnapshotRow snapshot, co_await core.snapshot(snapshot_id, info.caller.tenant));
  FB_CO_TRY(const std::uint64_t children,
            co_await core.get<std::uint64_t>([&](Reader& reader) { return reader.count_children(snapshot_id); }));
  if (children > 0)
    co_return refuse(409,
                     "snapshot " + snapshot_id + " has " + std::to_string(children) + " children; delete them first");
  const SnapshotState before = snapshot.state;
  if (before == SnapshotState::restoring || before == SnapshotState::creating)
    co_return refuse(409, "snapshot " + snapshot_id + " is " + std::string(to_string(before)));
  snapshot.state = SnapshotState::deleting;
  snapshot.updated_at = core.wall();
  auto recorded = co_await core.commit("snapshot_delete_recorded", [&](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(snapshot, before);
    return {};
  });
  if (!recorded && recorded.error().code == base::Errc::not_found) co_return no_such_snapshot(snapshot_id);
  if (!recorded) co_return recorded;
  // A lineage row has no bytes of its own.
  if (snapshot_id.starts_with("fork-seed-"))
    co_return co_await commit_deleted(core, snapshot, "snapshot.deleted", false);
  const auto work = [](Core& on, SnapshotRow what, base::Completion<base::Result<void>> tell) -> base::Task<void> {
    tell.set(co_await run_snapshot_deletion(on, std::move(what), "snapshot.deleted"));
  };
  const base::Completion<base::Result<void>> done;
  core.jobs.spawn(work(core, std::move(snapshot), done));
  co_return co_await done.wait(core.parts.executor);
}

}  // namespace fusebox::fleet
