#include "fleet/engine/recovery.h"

#include <set>

#include "fleet/engine/boot.h"
#include "fleet/engine/create.h"
#include "fleet/engine/guest.h"
#include "fleet/engine/migration.h"
#include "fleet/engine/removal.h"
#include "fleet/engine/seeds.h"
#include "fleet/engine/snapshots.h"

namespace fusebox::fleet {
namespace {

constexpr std::uint32_t kPage = 200;
constexpr base::Nanos kLeaseStep{std::chrono::seconds{10}};  // contract 15.3

// Told apart from a store that does not answer.
bool is_gone(const base::Error& error) {
  return api_detail(error).status == 404;
}
bool is_unreadable(const base::Error& error) {
  return api_detail(error).status == 503;
}

// What it was for is gone: nothing is left to do.
base::Task<void> close_operation(Core& core, OperationRow op, std::string why) {
  finish_operation(op, refuse(409, why), core.wall());
  op.state = OperationState::cancelled;
  const auto closed = co_await core.commit("operation_closed", [&](Tx& tx) -> base::Result<void> {
    tx.update_operation(op);
    return {};
  });
  if (!closed) {
    core.log(base::LogLevel::warn, "operation not closed", {{"op_id", op.op_id}});
    co_return;
  }
  core.parts.meters.operation_ended(op.kind, "cancelled");
}

base::Task<base::Result<Boot>> boot_again(Core& core, EnvironmentRow row, OperationRow op) {
  Boot boot;
  boot.interrupted = true;
  FB_CO_TRY(boot.material, open_material(core.parts.vault, row));
  boot.demand = demand_of(boot.material.request);
  boot.demand.backend = row.backend;
  boot.demand.storage_gb = row.storage_gb;  // what was counted for it
  if (!op.snapshot_id.empty()) {
    FB_CO_TRY(boot.seed, co_await core.snapshot(op.snapshot_id, {}));
    boot.demand.has_seed = true;
    FB_CO_TRY(boot.demand.seed, co_await seed_demand(core, *boot.seed));
  }
  boot.row = std::move(row);
  boot.op = std::move(op);
  co_return boot;
}

base::Task<void> resume_create(Core& core, EnvironmentRow row, OperationRow op) {
  const std::string op_id = op.op_id;
  core.outcomes.begin(op_id);
  auto boot = co_await boot_again(core, row, op);
  if (boot) {
    co_await run_boot(core, std::move(*boot));
    co_return;
  }
  if (is_unreadable(boot.error())) {
    core.outcomes.finish(op_id, std::unexpected(std::move(boot.error())));
    co_return;  // it is taken up again
  }
  // Its material cannot be opened: it can only go.
  const RequestInfo nobody;
  auto removed = co_await remove_environment(
      core, row.vm_id, {}, RemovalReason("unrecoverable", boot.error().message, TaskStatus::failed, "failed"), nobody);
  core.parts.meters.operation_ended(op.kind, "failed");
  core.outcomes.finish(op_id, std::unexpected(std::move(boot.error())));
  if (!removed) core.log(base::LogLevel::warn, "environment could not be removed", {{"vm_id", row.vm_id}});
}

base::Task<void> resume(Core& core, OperationRow op) {
  const AtWork at_work(core, op);
  core.parts.meters.takeover(op.kind);
  auto found = co_await core.environment(op.vm_id, {});
  if (!found) {
    if (is_gone(found.error())) co_await close_operation(core, std::move(op), "environment is gone");
    co_return;  // or it could not be read: the operation is taken up again
  }
  EnvironmentRow row = std::move(*found);
  if (op.kind == "migrate" && op.step == "moved") {
    co_await finish_move(core, std::move(row), std::move(op));
    co_return;
  }
  // A removal is of the environment it was recorded for, not of one that has its name since.
  const bool going = row.state == EnvironmentState::destroying && row.generation == op.generation;
  const bool other = op.kind == "destroy" ? !going : row.op_id != op.op_id;
  if (other && op.kind != "snapshot") {
    co_await close_operation(core, std::move(op), "environment has moved on");
    co_return;
  }
  if (op.kind == "create" || op.kind == "fork" || op.kind == "migrate") {
    co_await resume_create(core, std::move(row), std::move(op));
  } else if (op.kind == "destroy") {
    (void)co_await run_removal(core, Removal(std::move(row), std::move(op)));
  } else if (op.kind == "drain") {
    (void)co_await run_drain(core, std::move(row), std::move(op));
  } else if (op.kind == "rotate") {
    (void)co_await run_rotation(core, std::move(row), std::move(op));
  } else if (op.kind == "secrets") {
    (void)co_await run_secrets(core, std::move(row), std::move(op));
  } else if (op.kind == "restore") {
    auto snapshot = co_await core.snapshot(op.snapshot_id, {});
    if (snapshot)
      (void)co_await run_restore(core, std::move(row), std::move(*snapshot), std::move(op));
    else if (is_gone(snapshot.error()))
      co_await close_operation(core, std::move(op), "snapshot is gone");
  } else if (op.kind == "snapshot") {
    // Whether it was made is looked up on the agent (10.3); its row is settled with the other unfinished snapshots.
    auto snapshot = co_await core.snapshot(op.snapshot_id, {});
    if (snapshot && snapshot->state == SnapshotState::creating) {
      (void)co_await settle_creating(core, std::move(*snapshot), &op);
      if (op.state != OperationState::running) co_return;
    }
    co_await close_operation(core, std::move(op), "snapshot was interrupted");
  } else {
    co_await close_operation(core, std::move(op), "interrupted");
  }
}

}  // namespace

base::Task<base::Result<void>> take_over(Core& core, TakeOver whose) {
  const base::Nanos at = core.wall();
  const base::Nanos expired =
      whose != TakeOver::expired ? at + core.parts.options.operation_lease + std::chrono::hours{24 * 366} : at;
  std::set<std::string, std::less<>> left_behind;
  for (;;) {
    FB_CO_TRY(const auto rows, co_await core.get<std::vector<OperationRow>>(
                                   [&](Reader& reader) { return reader.expired_operations(expired, kPage); }));
    std::size_t taken = 0;
    for (OperationRow op : rows) {
      const bool ours = op.owner == core.parts.options.replica_id;
      if ((whose == TakeOver::own || whose == TakeOver::stranded) && !ours) continue;
      if (core.at_work.contains(op.op_id)) continue;
      if (whose == TakeOver::stranded && !core.stranded.contains(op.op_id)) {
        left_behind.insert(op.op_id);  // its worker may be about to begin
        continue;
      }
      const base::Nanos lease = at + std::chrono::floor<std::chrono::microseconds>(core.parts.options.operation_lease);
      auto mine = co_await core.commit("taken_over", [&](Tx& tx) -> base::Result<void> {
        tx.take_over_operation(op.op_id, core.parts.options.replica_id, lease, expired);
        return {};
      });
      if (!mine) continue;  // somebody was faster
      ++taken;
      op.owner = core.parts.options.replica_id;
      op.lease_until = lease;
      ++op.attempts;
      core.log(base::LogLevel::info, "operation taken over",
               {{"op_id", op.op_id}, {"kind", op.kind}, {"step", op.step}});
      core.jobs.spawn(resume(core, std::move(op)));
    }
    if (rows.size() < kPage || taken == 0) break;
  }
  if (whose == TakeOver::stranded) core.stranded = std::move(left_behind);
  co_return base::Result<void>{};
}

base::Task<void> keep_leases(Core& core) {
  ReplicaRow replica;
  replica.replica_id = core.parts.options.replica_id;
  replica.version = core.parts.options.version;
  replica.started_at = core.wall();
  while (!core.closing) {
    co_await core.pause(kLeaseStep);
    if (core.closing) co_return;
    replica.heartbeat_at = core.wall();
    replica.leader = core.parts.store.is_leader();
    const base::Nanos until =
        replica.heartbeat_at + std::chrono::floor<std::chrono::microseconds>(core.parts.options.operation_lease);
    const auto kept = co_await core.commit("leases", [&](Tx& tx) -> base::Result<void> {
      tx.renew_leases(core.parts.options.replica_id, until);
      tx.put_replica(replica);
      return {};
    });
    if (!kept) core.log(base::LogLevel::warn, "leases not renewed", {{"error", kept.error().message}});
    const auto taken = co_await take_over(core, TakeOver::stranded);
    if (!taken) core.log(base::LogLevel::warn, "own operations not looked at", {{"error", taken.error().message}});
  }
}

base::Task<void> release_leases(Core& core) {
  const base::Nanos ended = core.wall();
  const auto released = co_await core.commit("leases_released", [&](Tx& tx) -> base::Result<void> {
    tx.renew_leases(core.parts.options.replica_id, ended);
    return {};
  });
  if (!released) core.log(base::LogLevel::warn, "leases not released", {{"error", released.error().message}});
}

}  // namespace fusebox::fleet
