#include "fleet/engine/removal.h"

#include "base/json.h"
#include "fleet/engine/last_logs.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

constexpr base::Nanos kDeleteLimit{std::chrono::seconds{60}};  // contract 14.2
constexpr base::Nanos kJoinStep{std::chrono::milliseconds{200}};
constexpr base::Nanos kJoinLimit{std::chrono::seconds{60}};  // for the removal of another replica

std::string detail_json(std::string_view final_state) {
  return base::json::Writer().begin_object().key("final").string(final_state).end_object().take();
}

std::string final_state_of(const OperationRow& op) {
  const auto detail = base::json::parse(op.detail_json);
  const auto* word = detail ? detail->root->find("final") : nullptr;
  return word != nullptr && word->is_string() ? word->string() : "destroyed";
}

// Another replica may have ended it since it was read. Its name may be somebody else's by now, on another host, where
// generations began anew: the number alone does not tell.
base::Result<void> still_the_same(Tx& tx, const EnvironmentRow& row) {
  if (row.host_id.empty()) return {};  // a provider of this process: one host, one row of generations
  FB_TRY(const auto now, tx.environment(row.vm_id));
  if (now && now->incarnation == row.incarnation) return {};
  return base::fail(base::Errc::stale, "environment " + row.vm_id + " has ended");
}

void write_removed(Tx& tx, const EnvironmentRow& row, const OperationRow& op, const std::string& final_state,
                   base::Nanos at) {
  if (!row.source_snapshot_id.empty()) tx.delete_lineage(row.vm_id);  // others have none (10.6)
  tx.add_event(vm_event(row, "vm.removed", at, request_json(op.request_id)));
  tx.put_tombstone({.host_id = row.host_id,
                    .host_vm_name = row.host_vm_name,
                    .vm_id = row.vm_id,
                    .reason = final_state,
                    .generation = row.generation,
                    .removed_at = at});
}

// What ends with the intent: the task, and whatever was under way for the environment, which may have been its boot.
void write_ended(Tx& tx, const EnvironmentRow& row, const OperationRow& op, const RemovalReason& reason,
                 EnvironmentState before, base::Nanos at) {
  tx.set_task(row.task_id, reason.task, reason.error, at);
  tx.cancel_operations(row.vm_id, op.op_id, at);
  tx.insert_operation(op);
  if (before == EnvironmentState::provisioning) {
    const std::string_view why = reason.error.empty() ? reason.word : std::string_view(reason.error);
    tx.add_event(vm_event(row, "vm.provision_failed", at, reason_json(why, op.request_id)));
  }
  const std::string cause = reason_json(reason.word, op.request_id);
  tx.add_event(vm_event(row, "vm.destroying", at, cause));
  tx.add_event(task_event(row, reason.task == TaskStatus::completed ? "task.completed" : "task.failed", at, cause));
}

// The row goes, and with it its share of the host: both once, because there is one row.
base::Task<base::Result<void>> commit_removed(Core& core, const EnvironmentRow& row, OperationRow op,
                                              const std::vector<host::LogRecord>& logs) {
  const base::Nanos at = core.wall();
  finish_operation(op, Outcome{.status = 204, .json = {}, .location = {}, .replayed = false}, at);
  const std::string final_state = final_state_of(op);
  auto done = co_await core.commit("removed", [&](Tx& tx) -> base::Result<void> {
    write_logs(tx, row, logs);
    tx.end_environment(row.vm_id, row.generation, {},
                       {.kind = "state", .payload_json = state_event(row, final_state, at)});
    if (!row.host_id.empty()) tx.release(host_share(row));
    tx.update_operation(op);
    write_removed(tx, row, op, final_state, at);
    return {};
  });
  if (done && !row.host_id.empty()) core.hosts.release(row.host_id, index_share(row));
  co_return done;
}

base::Task<base::Result<void>> delete_on_host(Core& core, const EnvironmentRow& row, const OperationRow& op) {
  FB_CO_TRY(const Place place, core.place_of(row));
  auto deleted = co_await place.provider->destroy(core.context(row, &op, kDeleteLimit), row.host_vm_name);
  core.heard(place, deleted);
  if (!deleted && deleted.error().code == base::Errc::not_found) co_return base::Result<void>{};
  co_return deleted;
}

// docs/adr/0011: with a provider of this process the intent and its outcome are one record, and the deletion follows it.
bool removed_at_once(Core& core, const EnvironmentRow& row) {
  if (!row.host_id.empty() || row.state != EnvironmentState::running || !row.op_id.empty()) return false;
  host::Provider* const provider = core.parts.providers.local(row.backend);
  return provider != nullptr && provider->makes_at_once({});
}

base::Task<base::Result<void>> remove_at_once(Core& core, EnvironmentRow row, RemovalReason reason, RequestInfo info) {
  const base::Nanos at = core.wall();
  const std::uint64_t expected = row.generation++;
  info.idempotency_key.clear();
  OperationRow op = core.new_operation("destroy", row, info);
  op.step = "removed";
  op.detail_json = detail_json(reason.final_state);
  const Outcome outcome{.status = 204, .json = {}, .location = {}, .replayed = false};
  finish_operation(op, outcome, at);
  if (!reason.error.empty()) row.last_error = reason.error;
  const std::string final_state(reason.final_state);
  const auto logs = co_await last_logs(core, row);
  auto recorded = co_await core.commit("removed", [&](Tx& tx) -> base::Result<void> {
    write_logs(tx, row, logs);
    const std::string destroying = state_event(row, "destroying", at);
    const std::string last = state_event(row, final_state, at);
    tx.end_environment(row.vm_id, expected, {.kind = "state", .payload_json = destroying},
                       {.kind = "state", .payload_json = last});
    write_ended(tx, row, op, reason, row.state, at);
    write_removed(tx, row, op, final_state, at);
    return {};
  });
  if (recorded) {
    core.parts.meters.operation_ended("destroy", "done");
    core.live.end(row.vm_id);
    const auto deleted = co_await delete_on_host(core, row, op);
    // The reconciler finds it on the provider's list.
    if (!deleted)
      core.log(base::LogLevel::warn, "environment could not be deleted on its provider; it will be tried again",
               {{"vm_id", row.vm_id}, {"error", deleted.error().message}});
  }
  co_return recorded;
}

// The removal of another replica: until its row is gone.
base::Task<base::Result<void>> wait_for_other(Core& core, std::string vm_id) {
  const base::Nanos end = core.now() + kJoinLimit;
  while (core.now() < end && !core.closing) {
    co_await core.pause(kJoinStep);
    auto row =
        co_await core.get<std::optional<EnvironmentRow>>([&](Reader& reader) { return reader.environment(vm_id); });
    if (row && !*row) co_return base::Result<void>{};
  }
  co_return refuse(500, "vm " + vm_id + " is still being destroyed; it will be tried again until it is gone");
}

}  // namespace

base::Task<base::Result<Removal>> begin_removal(Core& core, EnvironmentRow row, RemovalReason reason, RequestInfo info,
                                                Store::WriteWork also) {
  const base::Nanos at = core.wall();
  const std::uint64_t expected = row.generation++;
  info.idempotency_key.clear();
  OperationRow op = core.new_operation("destroy", row, info);
  op.step = "destroy_recorded";
  op.detail_json = detail_json(reason.final_state);
  row.op_id = op.op_id;
  if (!reason.error.empty()) row.last_error = reason.error;
  const EnvironmentState before = row.state;
  enter_state(row, EnvironmentState::destroying, at);
  auto recorded = co_await core.commit("destroy_recorded", [&](Tx& tx) -> base::Result<void> {
    FB_CHECK(still_the_same(tx, row));
    tx.update_environment(row, expected);
    tx.append_env_event(row.vm_id, "state", state_event(row, "destroying", at));
    if (also) FB_CHECK(also(tx));  // first: what ends with an outcome of its own is not cancelled
    write_ended(tx, row, op, reason, before, at);
    return {};
  });
  if (!recorded) co_return std::unexpected(std::move(recorded.error()));
  core.live.end(row.vm_id);
  co_return Removal(std::move(row), std::move(op));
}

base::Task<base::Result<void>> run_removal(Core& core, Removal removal, bool absent) {
  const EnvironmentRow& row = removal.row;
  const AtWork at_work(core, removal.op);
  core.removals.begin(row.vm_id);
  std::vector<host::LogRecord> logs;
  base::Result<void> deleted;
  if (!absent) {
    logs = co_await last_logs(core, row);
    deleted = co_await delete_on_host(core, row, removal.op);
  }
  base::Result<void> outcome;
  if (deleted) {
    outcome = co_await commit_removed(core, row, removal.op, logs);
  } else {
    core.log(base::LogLevel::warn, "environment could not be deleted on its host; it will be tried again",
             {{"vm_id", row.vm_id}, {"error", deleted.error().message}});
    OperationRow op = removal.op;
    outcome = refuse(500, "vm " + row.vm_id + " could not be deleted on its host: " + deleted.error().message,
                     {{"vm_id", row.vm_id}, {"op_id", op.op_id}});
    finish_operation(op, std::unexpected(outcome.error()), core.wall());
    const auto noted = co_await core.commit("destroy_failed", [&](Tx& tx) -> base::Result<void> {
      tx.update_operation(op);
      return {};
    });
    if (!noted) core.log(base::LogLevel::warn, "outcome not recorded", {{"vm_id", row.vm_id}});
  }
  core.count_fenced("destroy", outcome);
  core.parts.meters.operation_ended("destroy", outcome ? "done" : "failed");
  core.removals.finish(row.vm_id, outcome);
  co_return outcome;
}

base::Task<base::Result<void>> try_removal(Core& core, EnvironmentRow row, bool absent) {
  OperationRow op = core.new_operation("destroy", row, {});
  op.step = "destroy_recorded";
  // The last word was decided with the first intent: an environment that never ran has failed.
  op.detail_json = detail_json(row.running_at.count() == 0 && !row.last_error.empty() ? "failed" : "destroyed");
  auto recorded = co_await core.commit("destroy_again", [&](Tx& tx) -> base::Result<void> {
    FB_CHECK(still_the_same(tx, row));
    tx.insert_operation(op);
    return {};
  });
  if (!recorded && recorded.error().code == base::Errc::stale) co_return base::Result<void>{};
  if (!recorded) co_return recorded;
  co_return co_await run_removal(core, Removal(std::move(row), std::move(op)), absent);
}

base::Task<base::Result<void>> retry_removal(Core& core, EnvironmentRow row) {
  if (core.removals.under_way(row.vm_id)) {
    const auto joined = core.removals.join(row.vm_id);
    co_return co_await joined.wait(core.parts.executor);
  }
  const std::string vm_id = row.vm_id;
  auto removed = co_await try_removal(core, std::move(row), false);
  if (!removed && removed.error().code == base::Errc::exists) co_return co_await wait_for_other(core, vm_id);
  co_return removed;
}

base::Task<base::Result<void>> remove_environment(Core& core, std::string vm_id, std::string tenant,
                                                  RemovalReason reason, RequestInfo info) {
  for (;;) {
    auto row = co_await core.environment(vm_id, tenant);
    if (!row) co_return std::unexpected(std::move(row.error()));
    if (row->state == EnvironmentState::destroying) co_return co_await retry_removal(core, std::move(*row));
    base::Result<void> removed;
    if (removed_at_once(core, *row)) {
      removed = co_await remove_at_once(core, std::move(*row), reason, info);
      if (removed) co_return removed;
    } else {
      auto removal = co_await begin_removal(core, std::move(*row), reason, info);
      if (removal) co_return co_await run_removal(core, std::move(*removal));
      removed = std::unexpected(std::move(removal.error()));
    }
    if (removed.error().code != base::Errc::stale && removed.error().code != base::Errc::not_found) co_return removed;
  }
}

}  // namespace fusebox::fleet
