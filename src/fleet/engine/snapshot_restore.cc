// Snapshots: restored in place.
#include "fleet/engine/create.h"
#include "fleet/engine/rearm.h"
#include "fleet/engine/snapshot_events.h"
#include "fleet/engine/snapshots.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kRestoreLimit{seconds{180}};
constexpr base::Nanos kQuickLimit{seconds{10}};

// A restore may boot the guest; the reconciler is not to take that for a reboot nobody asked for. Where it cannot be asked
// for, the guest is armed once more.
base::Task<void> take_boot_id(Core& core, const Place& place, EnvironmentRow& row, const OperationRow& op) {
  if (row.boot_id.empty()) co_return;
  const auto there = co_await place.provider->get(core.context(row, &op, kQuickLimit), row.host_vm_name);
  core.heard(place, there);
  if (there && !there->boot_id.empty()) row.boot_id = there->boot_id;
}

}  // namespace

base::Task<base::Result<void>> run_restore(Core& core, EnvironmentRow row, SnapshotRow snapshot, OperationRow op) {
  const AtWork at_work(core, op);
  const base::Nanos began = core.now();
  base::Result<void> restored;
  const auto place = core.place_of(row);
  if (place) {
    restored = co_await place->provider->restore(core.context(row, &op, kRestoreLimit), row.host_vm_name,
                                                 snapshot.snapshot_id);
    core.heard(*place, restored);
    if (restored) co_await take_boot_id(core, *place, row, op);
    if (restored && snapshot.kind != "live") restored = co_await rearm(core, row, "restore");
  } else {
    restored = std::unexpected(place.error());
  }
  core.count_fenced("restore", restored);
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
    snapshot.last_error.clear();
    snapshot.last_used_at = at;
  }
  snapshot.updated_at = row.updated_at = at;
  row.op_id.clear();
  finish_operation(op, outcome, at);
  auto ended = co_await core.commit("restore_done", [&](Tx& tx) -> base::Result<void> {
    FB_CHECK(refresh_view_now(tx, row));
    tx.update_snapshot(snapshot, SnapshotState::restoring);
    tx.update_environment(row, row.generation);
    tx.update_operation(op);
    if (!outcome) return {};
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, "snapshot.restored", at, request_json(op.request_id)));
    return tell_environment(tx, snapshot, "restored");
  });
  core.parts.meters.snapshot_done("restore", row.backend, std::chrono::duration<double>(core.now() - began).count());
  core.count_fenced("restore", ended);
  if (!ended) outcome = std::unexpected(ended.error());
  if (ended) core.parts.meters.operation_ended("restore", outcome ? "done" : "failed");
  core.outcomes.finish(op.op_id, outcome);
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
  if (snapshot.state != SnapshotState::ready) {
    const std::string state(to_string(snapshot.state));
    auto busy = refuse(409, "snapshot " + snapshot_id + " is " + state + ", not ready");
    co_return co_await earlier_outcome_or(core, info, std::move(busy.error()));
  }
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
  snapshot.state = SnapshotState::restoring;
  snapshot.op_id = op.op_id;
  auto recorded = co_await core.commit("restore_recorded", [&](Tx& tx) -> base::Result<void> {
    FB_CHECK(refresh_view_now(tx, row));
    tx.update_environment(row, expected);
    tx.update_snapshot(snapshot, SnapshotState::ready);
    tx.insert_operation(op);
    return {};
  });
  if (!recorded) {
    if (recorded.error().code == base::Errc::stale || recorded.error().code == base::Errc::exists) {
      auto busy = refuse(409, "another operation on vm " + row.vm_id + " is under way", {{"vm_id", row.vm_id}});
      co_return co_await earlier_outcome_or(core, info, std::move(busy.error()));
    }
    co_return std::unexpected(std::move(recorded.error()));
  }
  core.outcomes.begin(op.op_id);
  const std::string op_id = op.op_id;
  const std::string view = render_snapshot(snapshot);
  const auto work = [](Core& on, EnvironmentRow environment, SnapshotRow from, OperationRow with) -> base::Task<void> {
    (void)co_await run_restore(on, std::move(environment), std::move(from), std::move(with));
  };
  core.jobs.spawn(work(core, std::move(row), std::move(snapshot), std::move(op)));
  co_return co_await answer_of(core, op_id, info, view, "/v1/snapshots/" + snapshot_id);
}

}  // namespace fusebox::fleet
