#include "fleet/engine/migration.h"

#include "fleet/engine/guest.h"
#include "fleet/engine/removal.h"

namespace fusebox::fleet {
namespace {

constexpr base::Nanos kLeaveStep{std::chrono::seconds{2}};

// Whether the source of a migration is gone, or durably on its way; only its name may still be there.
base::Task<bool> source_left(Core& core, EnvironmentRow row) {
  auto source = co_await core.environment(row.source_vm_id, {});
  if (!source) co_return api_detail(source.error()).status == 404;
  co_return source->created_at > row.created_at || source->state == EnvironmentState::destroying;
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
  const auto ended = co_await core.commit("migrated", [&](Tx& tx) -> base::Result<void> {
    tx.update_operation(op);
    return {};
  });
  if (!ended) core.log(base::LogLevel::warn, "end of a migration not recorded", {{"vm_id", row.vm_id}});
  co_return outcome;
}

base::Task<void> finish_move(Core& core, EnvironmentRow row, OperationRow op) {
  const std::string op_id = op.op_id;
  core.outcomes.begin(op_id);
  auto outcome = co_await leave_source(core, std::move(row), std::move(op));
  core.parts.meters.operation_ended("migrate", "done");
  core.outcomes.finish(op_id, outcome);
}

}  // namespace fusebox::fleet
