#include "fleet/engine/intent.h"

#include <algorithm>

#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

bool lists_instances(const HostRow& host) {
  return !host.mig_instances_json.empty() && host.mig_instances_json != "[]";
}

// Contract 12.4: what is bound may not be taken by another. Slices that have no names are counted.
base::Result<void> check_devices(Tx& tx, const EnvironmentRow& row) {
  const bool named = !row.gpu_uuids.empty() || !row.mig_instance_uuids.empty();
  if (!named && row.gpu_profile.empty()) return {};
  FB_TRY(const auto bound, tx.bound_devices(row.host_id));
  const auto taken = [](const std::vector<std::string>& held, const std::vector<std::string>& wanted) {
    return std::ranges::any_of(wanted, [&](const auto& one) { return std::ranges::find(held, one) != held.end(); });
  };
  if (taken(bound.gpu_uuids, row.gpu_uuids) || taken(bound.mig_instance_uuids, row.mig_instance_uuids))
    return base::fail(base::Errc::exhausted, "a device was taken meanwhile", "capacity");
  if (row.gpu_profile.empty()) return {};
  FB_TRY(const auto host, tx.host(row.host_id));
  if (!host || lists_instances(*host)) return {};
  const auto count = [&](const std::map<std::string, std::int64_t>& counts) {
    const auto found = counts.find(row.gpu_profile);
    return found == counts.end() ? 0 : found->second;
  };
  if (count(bound.mig_profiles) + row.gpus > count(host->mig_profiles))
    return base::fail(base::Errc::exhausted, "a slice was taken meanwhile", "capacity");
  return {};
}

base::Result<void> write_begun(Tx& tx, const Boot& boot, TaskStatus task) {
  const EnvironmentRow& row = boot.row;
  const std::string cause = request_json(boot.op.request_id);
  tx.insert_environment(row);
  tx.append_env_event(row.vm_id, "state", state_event(row, "provisioning", row.created_at));
  tx.put_task(task_of(row, task, {}));
  tx.insert_operation(boot.op);
  tx.add_event(vm_event(row, "vm.provisioning", row.created_at, cause));
  tx.add_event(task_event(row, "task.assigned", row.created_at, cause));
  tx.add_event(vm_event(row, "vm.scheduled", row.created_at, cause));
  if (boot.also) return boot.also(tx);
  return {};
}

}  // namespace

std::unexpected<base::Error> already_assigned(const std::string& task_id, const std::string& vm_id) {
  return refuse(409, "task already assigned: task " + task_id + " already assigned to vm " + vm_id, {{"vm_id", vm_id}});
}

TaskRow task_of(const EnvironmentRow& row, TaskStatus status, std::string_view error) {
  return {.task_id = row.task_id,
          .vm_id = row.vm_id,
          .run_status = status,
          .retry_count = 0,
          .last_error = std::string(error),
          .assigned_at = row.created_at,
          .updated_at = row.updated_at};
}

base::Result<void> take_room(Tx& tx, const EnvironmentRow& row) {
  tx.reserve(host_share(row));  // first: it locks the host, so that nobody binds a device after the look at them
  return check_devices(tx, row);
}

base::Task<base::Result<void>> record_intent(Core& core, const Boot& boot) {
  co_return co_await core.commit("intent", [&](Tx& tx) -> base::Result<void> {
    if (!boot.row.host_id.empty()) FB_CHECK(take_room(tx, boot.row));
    return write_begun(tx, boot, TaskStatus::assigned);
  });
}

base::Result<void> write_made(Tx& tx, const Boot& boot) {
  FB_CHECK(write_begun(tx, boot, TaskStatus::running));
  write_running_events(tx, boot);
  return {};
}

void write_running_events(Tx& tx, const Boot& boot) {
  const EnvironmentRow& row = boot.row;
  const base::Nanos at = row.state_changed_at;
  const std::string cause = request_json(boot.op.request_id);
  tx.append_env_event(row.vm_id, "state", state_event(row, "running", at));
  tx.add_event(vm_event(row, "vm.running", at, cause));
  tx.add_event(task_event(row, "task.running", at, cause));
  const StringMap& secrets = boot.material.request.secrets;
  if (!secrets.empty())
    tx.add_event(vm_event(row, "secrets.deployed", at, secret_names_json(secrets, boot.op.request_id)));
  if (!row.source_vm_id.empty() && boot.op.kind == "fork") tx.add_event(vm_event(row, "vm.forked", at, cause));
}

}  // namespace fusebox::fleet
