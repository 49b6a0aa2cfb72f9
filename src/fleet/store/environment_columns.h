// What reading and writing orchestrator_vms share. Internal to fleet/store.
//
// Threads  constants.
#pragma once

#include <string_view>

#include "fleet/store/sql.h"

#define FUSEBOX_ENVIRONMENT_COLUMNS                                                                                   \
  "vm_id, host_id, host_vm_name, generation, incarnation, state, backend, url, task_id, tenant_id, cpus, ram_mb, "    \
  "storage_gb, region, max_runtime_seconds, idle_timeout_seconds, auth_token_encrypted, secrets_encrypted, "          \
  "boot_encrypted, cert_sha256, cert_not_after, last_error, endpoints_json, gpus, gpu_kind, gpu_profile, gpu_uuids, " \
  "mig_instance_uuids, spec_json, source_vm_id, source_snapshot_id, op_id, boot_id, created_at, updated_at, "         \
  "state_changed_at, running_at, boot_ms, view_json, view_version, health_json, last_activity_at, stuck_strikes, "    \
  "idle_strikes, missing_seen_at, event_seq"

namespace fusebox::fleet {

inline constexpr std::string_view kEnvironmentTable = "orchestrator_vms";
inline constexpr sql::Guard kEnvironmentUnchanged{
    .one_row = true, .code = base::Errc::stale, .what = "somebody changed environment"};

}  // namespace fusebox::fleet
