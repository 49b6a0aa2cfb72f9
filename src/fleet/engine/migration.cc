#include "fleet/engine/migration.h"

#include <set>

#include "fleet/engine/guest.h"
#include "fleet/engine/removal.h"
#include "fleet/engine/snapshots.h"

namespace fusebox::fleet {
namespace {

constexpr base::Nanos kLeaveStep{std::chrono::seconds{2}};

// Whether the source of a migration is gone, or durably on its way; only its name may still be there.
base::Task<bool> source_left(Core& core, EnvironmentRow row) {
  auto source = co_await core.environment(row.source_vm_id, {});
  if (!source) co_return api_detail(source.error()).status == 404;
  co_return source->created_at > row.created_at || source->state == EnvironmentState::destroying;
}

// What was made for this move alone: the snapshot of the source and the copy that was pulled of it. A copy that was there
// before is somebody else's.
bool is_of_move(const SnapshotRow& snapshot, const EnvironmentRow& row, const OperationRow& op) {
  if (snapshot.state != SnapshotState::ready || !snapshot.layer_key.empty()) return false;
  if (snapshot.snapshot_id == row.source_snapshot_id) return snapshot.vm_id == row.source_vm_id;
  return snapshot.vm_id.empty() && snapshot.created_at >= op.created_at;
}

// They are `deleting` from now on: should nobody here come to it, the reconciler does.
base::Result<std::vector<SnapshotRow>> give_up_seeds(Tx& tx, const EnvironmentRow& row, const OperationRow& op) {
  std::vector<SnapshotRow> given_up;
  for (const std::string& id : std::set<std::string>{row.source_snapshot_id, op.snapshot_id}) {
    FB_TRY(auto found, tx.snapshot(id));
    if (!found || !is_of_move(*found, row, op)) continue;
    FB_TRY(const std::uint64_t children, tx.count_children(id));
    if (children != 0) continue;
    found->state = SnapshotState::deleting;
    found->updated_at = op.updated_at;
    tx.update_snapshot(*found, SnapshotState::ready);
    given_up.push_back(std::move(*found));
  }
  return given_up;
}

base::Task<void> delete_seeds(Core& core, std::vector<SnapshotRow> seeds) {
  for (SnapshotRow& seed : seeds) (void)co_await run_snapshot_deletion(core, std::move(seed), "snapshot.gc_deleted");
}

}  // namespace

base::Task<base::Result<Outcome>> leave_source(Core& core, EnvironmentRow row, OperationRow op) {
  const RequestInfo nobody;
  const RemovalReason reason("migrated", {}, TaskStatus::completed);
  for (;;) {
    const bool left = co_await source_left(core, row);
    if (left) break;
    if (core.closing) co_return refuse(503, "the control plane is stopping");
    auto drained = co_await drain_environment(core, nobody, row.source_vm_id);
    auto removed = co_await remove_environment(core, row.source_vm_id, {}, reason, nobody);
    if (removed) continue;
    core.log(base::LogLevel::warn, "source of a migration is not gone yet",
             {{"vm_id", row.source_vm_id}, {"drained", drained.has_value()}, {"error", removed.error().message}});
    co_await core.pause(kLeaveStep);
  }
  const Outcome outcome{.status = 200, .json = row.view_json, .location = {}, .replayed = false};
  finish_operation(op, outcome, core.wall());
  std::vector<SnapshotRow> seeds;
  const auto ended = co_await core.commit("migrated", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(seeds, give_up_seeds(tx, row, op));
    tx.update_operation(op);
    return {};
  });
  if (ended) core.jobs.spawn(delete_seeds(core, std::move(seeds)));
  if (!ended) core.log(base::LogLevel::warn, "end of a migration not recorded", {{"vm_id", row.vm_id}});
  co_return outcome;
}

base::Task<void> finish_move(Core& core, EnvironmentRow row, OperationRow op) {
  const std::string op_id = op.op_id;
  core.outcomes.begin(op_id);
  auto outcome = co_await leave_source(core, std::move(row), std::move(op));
  core.parts.meters.operation_ended("migrate", outcome ? "done" : "failed");
  core.outcomes.finish(op_id, outcome);
}

}  // namespace fusebox::fleet
