// The tables of the reference (contract control-plane.md 16.2), in its twelve steps. Its own database has run them
// already; that of ours has them run here, so that both are the same before 0101.
#include "fleet/store/schema.h"

namespace fusebox::fleet {
namespace {

constexpr std::string_view kState = R"sql(
CREATE TABLE IF NOT EXISTS orchestrator_hosts (
  host_id TEXT PRIMARY KEY NOT NULL,
  url TEXT NOT NULL DEFAULT '',
  token_encrypted {bytes},
  region TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'active',
  tenant_id TEXT NOT NULL DEFAULT '',
  cpus_total BIGINT NOT NULL DEFAULT 0,
  ram_mb_total BIGINT NOT NULL DEFAULT 0,
  storage_gb_total BIGINT NOT NULL DEFAULT 0,
  vm_count_max BIGINT NOT NULL DEFAULT 0,
  cpus_allocated BIGINT NOT NULL DEFAULT 0,
  ram_mb_allocated BIGINT NOT NULL DEFAULT 0,
  storage_gb_allocated BIGINT NOT NULL DEFAULT 0,
  vm_count_allocated BIGINT NOT NULL DEFAULT 0,
  last_seen_at {time},
  created_at {time},
  updated_at {time});
CREATE INDEX IF NOT EXISTS orchestrator_hosts_state_idx ON orchestrator_hosts (state);
CREATE INDEX IF NOT EXISTS orchestrator_hosts_region_idx ON orchestrator_hosts (region);
CREATE INDEX IF NOT EXISTS orchestrator_hosts_tenant_idx ON orchestrator_hosts (tenant_id);
CREATE TABLE IF NOT EXISTS orchestrator_vms (
  vm_id TEXT PRIMARY KEY NOT NULL,
  host_id TEXT NOT NULL DEFAULT '',
  network_host TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,
  url TEXT NOT NULL DEFAULT '',
  task_id TEXT NOT NULL DEFAULT '',
  tenant_id TEXT NOT NULL DEFAULT '',
  cpus BIGINT NOT NULL DEFAULT 0,
  ram_mb BIGINT NOT NULL DEFAULT 0,
  storage_gb BIGINT NOT NULL DEFAULT 0,
  region TEXT NOT NULL DEFAULT '',
  max_runtime_seconds BIGINT NOT NULL DEFAULT 0,
  auth_token_encrypted {bytes},
  secrets_encrypted {bytes},
  last_error TEXT NOT NULL DEFAULT '',
  created_at {time},
  updated_at {time});
CREATE INDEX IF NOT EXISTS orchestrator_vms_state_idx ON orchestrator_vms (state);
CREATE INDEX IF NOT EXISTS orchestrator_vms_task_idx ON orchestrator_vms (task_id);
CREATE INDEX IF NOT EXISTS orchestrator_vms_host_idx ON orchestrator_vms (host_id);
CREATE INDEX IF NOT EXISTS orchestrator_vms_tenant_idx ON orchestrator_vms (tenant_id);
CREATE TABLE IF NOT EXISTS orchestrator_tasks (
  task_id TEXT PRIMARY KEY NOT NULL,
  vm_id TEXT NOT NULL DEFAULT '',
  run_status TEXT NOT NULL,
  retry_count BIGINT NOT NULL DEFAULT 0,
  last_error TEXT NOT NULL DEFAULT '',
  assigned_at {time},
  updated_at {time}) {without_rowid};
CREATE INDEX IF NOT EXISTS orchestrator_tasks_vm_idx ON orchestrator_tasks (vm_id);
CREATE INDEX IF NOT EXISTS orchestrator_tasks_status_idx ON orchestrator_tasks (run_status);
CREATE INDEX IF NOT EXISTS orchestrator_tasks_assigned_idx ON orchestrator_tasks (assigned_at DESC);
CREATE TABLE IF NOT EXISTS orchestrator_snapshots (
  snapshot_id TEXT PRIMARY KEY NOT NULL,
  vm_id TEXT NOT NULL DEFAULT '',
  task_id TEXT NOT NULL DEFAULT '',
  host_id TEXT NOT NULL DEFAULT '',
  tenant_id TEXT NOT NULL DEFAULT '',
  parent_snapshot_id TEXT NOT NULL DEFAULT '',
  mode TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'ready',
  size_bytes BIGINT NOT NULL DEFAULT 0,
  retention_until {time},
  metadata_json {json} NOT NULL DEFAULT '{}',
  exports_json {json} NOT NULL DEFAULT '[]',
  last_error TEXT NOT NULL DEFAULT '',
  created_at {time},
  updated_at {time});
CREATE INDEX IF NOT EXISTS orchestrator_snapshots_vm_idx ON orchestrator_snapshots (vm_id);
CREATE INDEX IF NOT EXISTS orchestrator_snapshots_state_idx ON orchestrator_snapshots (state);
CREATE INDEX IF NOT EXISTS orchestrator_snapshots_tenant_idx ON orchestrator_snapshots (tenant_id);
CREATE INDEX IF NOT EXISTS orchestrator_snapshots_retention_idx ON orchestrator_snapshots (retention_until)
  WHERE retention_until IS NOT NULL;
CREATE TABLE IF NOT EXISTS orchestrator_events (
  id {event_id},
  entity_type TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  payload_json {json} NOT NULL DEFAULT '{}',
  created_at {time});
CREATE INDEX IF NOT EXISTS orchestrator_events_entity_idx
  ON orchestrator_events (entity_type, entity_id, created_at DESC);
CREATE INDEX IF NOT EXISTS orchestrator_events_type_idx ON orchestrator_events (event_type, created_at DESC);
)sql";

constexpr std::string_view kDeadLetters = R"sql(
CREATE TABLE IF NOT EXISTS orchestrator_dead_letters (
  id {serial},
  kind TEXT NOT NULL,
  entity_id TEXT NOT NULL,
  task_id TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  retry_count BIGINT NOT NULL DEFAULT 0,
  payload_json {json} NOT NULL DEFAULT '{}',
  first_seen_at {time},
  last_seen_at {time},
  UNIQUE (kind, entity_id));
CREATE INDEX IF NOT EXISTS orchestrator_dead_letters_kind_idx ON orchestrator_dead_letters (kind);
CREATE INDEX IF NOT EXISTS orchestrator_dead_letters_entity_idx ON orchestrator_dead_letters (entity_id);
)sql";

constexpr std::string_view kApiKeys = R"sql(
CREATE TABLE IF NOT EXISTS orchestrator_api_keys (
  id TEXT PRIMARY KEY NOT NULL,
  key_hash {bytes} NOT NULL UNIQUE,
  label TEXT NOT NULL DEFAULT '',
  created_at {time},
  last_used_at {time},
  revoked_at {time});
)sql";

constexpr std::string_view kEndpoints = R"sql(
ALTER TABLE orchestrator_vms {add} endpoints_json TEXT NOT NULL DEFAULT '[]';
)sql";

constexpr std::string_view kHostBackend = R"sql(
ALTER TABLE orchestrator_hosts {add} backend TEXT NOT NULL DEFAULT 'firecracker';
)sql";

constexpr std::string_view kGpus = R"sql(
ALTER TABLE orchestrator_hosts {add} gpus_total BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_hosts {add} gpu_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_hosts {add} gpus_allocated BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} gpus BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} gpu_kind TEXT NOT NULL DEFAULT '';
)sql";

constexpr std::string_view kMigProfiles = R"sql(
ALTER TABLE orchestrator_hosts {add} mig_profiles_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE orchestrator_hosts {add} mig_allocated_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE orchestrator_vms {add} gpu_profile TEXT NOT NULL DEFAULT '';
)sql";

constexpr std::string_view kGpuDevices = R"sql(
ALTER TABLE orchestrator_hosts {add} gpu_devices_json {json} NOT NULL DEFAULT '[]';
ALTER TABLE orchestrator_hosts {add} mig_instances_json {json} NOT NULL DEFAULT '[]';
ALTER TABLE orchestrator_vms {add} gpu_uuids {json} NOT NULL DEFAULT '[]';
ALTER TABLE orchestrator_vms {add} mig_instance_uuids {json} NOT NULL DEFAULT '[]';
)sql";

constexpr std::string_view kHostLabels = R"sql(
ALTER TABLE orchestrator_hosts {add} labels_json TEXT NOT NULL DEFAULT '{}';
)sql";

constexpr std::string_view kHostArch = R"sql(
ALTER TABLE orchestrator_hosts {add} arch TEXT NOT NULL DEFAULT '';
)sql";

constexpr std::string_view kIdleTimeout = R"sql(
ALTER TABLE orchestrator_vms {add} idle_timeout_seconds BIGINT NOT NULL DEFAULT 0;
)sql";

constexpr std::string_view kArtifactIndex = R"sql(
ALTER TABLE orchestrator_snapshots {add} layer_key TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_snapshots {add} arch TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_snapshots {add} digest TEXT NOT NULL DEFAULT '';
CREATE INDEX IF NOT EXISTS orchestrator_snapshots_layer_idx
  ON orchestrator_snapshots (tenant_id, layer_key, arch, created_at DESC) WHERE layer_key <> '';
CREATE INDEX IF NOT EXISTS orchestrator_snapshots_digest_idx
  ON orchestrator_snapshots (tenant_id, digest, snapshot_id) WHERE digest <> '';
)sql";

constexpr Migration kReference[] = {
    {1, "0001_orchestrator_state.sql", kState},  {2, "0002_dead_letters.sql", kDeadLetters},
    {3, "0003_api_keys.sql", kApiKeys},          {4, "0004_endpoints.sql", kEndpoints},
    {5, "0005_host_backend.sql", kHostBackend},  {6, "0006_gpus.sql", kGpus},
    {7, "0007_mig_profiles.sql", kMigProfiles},  {8, "0008_gpu_devices.sql", kGpuDevices},
    {9, "0009_host_labels.sql", kHostLabels},    {10, "0010_host_arch.sql", kHostArch},
    {11, "0011_idle_timeout.sql", kIdleTimeout}, {12, "0012_artifact_index.sql", kArtifactIndex},
};

}  // namespace

std::span<const Migration> reference_migrations() noexcept {
  return kReference;
}

}  // namespace fusebox::fleet
