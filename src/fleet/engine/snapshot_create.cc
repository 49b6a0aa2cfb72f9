// Snapshots: asked of a host, found again when it is not known how that ended.
#include "fleet/engine/create.h"
#include "fleet/engine/snapshot_events.h"
#include "fleet/engine/snapshot_rows.h"
#include "fleet/engine/snapshots.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::Nanos kSnapshotLimit{seconds{630}};  // contract 14.2
constexpr base::Nanos kQuickLimit{seconds{10}};
constexpr base::Nanos kCreatingMax{minutes{10}};  // contract 15.3

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
  const std::string cause = request_json(op == nullptr ? std::string_view() : op->request_id);
  co_return co_await core.commit("snapshot_ready", [&](Tx& tx) -> base::Result<void> {
    if (named != chosen) tx.rename_snapshot(chosen, named);
    tx.update_snapshot(snapshot, SnapshotState::creating);
    if (op != nullptr) tx.update_operation(*op);
    tx.add_event(event_of("snapshot", named, "snapshot.created", at, cause));
    return tell_environment(tx, snapshot, "created");
  });
}

base::Task<base::Result<Outcome>> run_snapshot(Core& core, EnvironmentRow row, SnapshotRow snapshot, OperationRow op,
                                               SnapshotRequest request, Place place) {
  const AtWork at_work(core, op);
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
    core.count_fenced("snapshot", ready);
    if (!ready) outcome = std::unexpected(std::move(ready.error()));
    core.parts.meters.snapshot_done("create", row.backend, std::chrono::duration<double>(core.now() - began).count());
  } else {
    const auto* failure = host::wire_failure(made.error());
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
    if (recorded.error().code == base::Errc::exists) {
      auto busy = refuse(409, "another snapshot of vm " + vm_id + " is under way", {{"vm_id", vm_id}});
      co_return co_await earlier_outcome_or(core, info, std::move(busy.error()));
    }
    co_return std::unexpected(std::move(recorded.error()));
  }
  core.outcomes.begin(op.op_id);
  const std::string op_id = op.op_id;
  std::string first_view = render_snapshot(snapshot);
  std::string location = "/v1/snapshots/" + snapshot.snapshot_id;
  core.jobs.spawn(snapshot_in_background(core, row, std::move(snapshot), std::move(op), std::move(request), place));
  co_return co_await answer_of(core, op_id, info, std::move(first_view), std::move(location));
}

base::Task<base::Result<void>> settle_creating(Core& core, SnapshotRow snapshot, OperationRow* op) {
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
      auto ready = co_await commit_ready(core, snapshot, record, op, outcome);
      if (ready && op != nullptr) core.parts.meters.operation_ended(op->kind, "done");
      co_return ready;
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

}  // namespace fusebox::fleet
