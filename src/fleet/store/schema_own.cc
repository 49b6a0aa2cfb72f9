// What we add to the tables of the reference (contract control-plane.md 16.2, [+]).
#include "fleet/store/event_index.h"
#include "fleet/store/schema.h"

namespace fusebox::fleet {
namespace {

// Columns for what the reference keeps in memory, and tables for what it does not have.
constexpr std::string_view kColumns = R"sql(
ALTER TABLE orchestrator_vms {add} host_vm_name TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} generation BIGINT NOT NULL DEFAULT 1;
ALTER TABLE orchestrator_vms {add} incarnation {bytes};
ALTER TABLE orchestrator_vms {add} backend TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} event_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} spec_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE orchestrator_vms {add} boot_encrypted {bytes};
ALTER TABLE orchestrator_vms {add} cert_sha256 {bytes};
ALTER TABLE orchestrator_vms {add} cert_not_after {time};
ALTER TABLE orchestrator_vms {add} health_json TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} last_activity_at {time};
ALTER TABLE orchestrator_vms {add} open_streams BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} state_changed_at {time};
ALTER TABLE orchestrator_vms {add} running_at {time};
ALTER TABLE orchestrator_vms {add} boot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} boot_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} stuck_strikes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} idle_strikes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_vms {add} missing_seen_at {time};
ALTER TABLE orchestrator_vms {add} source_vm_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} source_snapshot_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} op_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} view_json TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_vms {add} view_version BIGINT NOT NULL DEFAULT 0;

ALTER TABLE orchestrator_snapshots {add} kind TEXT NOT NULL DEFAULT 'disk';
ALTER TABLE orchestrator_snapshots {add} backend TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_snapshots {add} op_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_snapshots {add} owner_tenant_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_snapshots {add} last_used_at {time};
ALTER TABLE orchestrator_snapshots {add} next_retry_at {time};
ALTER TABLE orchestrator_snapshots {add} retry_count BIGINT NOT NULL DEFAULT 0;

ALTER TABLE orchestrator_api_keys {add} scopes_json TEXT;
ALTER TABLE orchestrator_api_keys {add} tenant_id TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_api_keys {add} expires_at {time};
ALTER TABLE orchestrator_api_keys {add} created_by TEXT NOT NULL DEFAULT '';

ALTER TABLE orchestrator_hosts {add} token_key_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orchestrator_hosts {add} tls_json TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_hosts {add} features_json TEXT NOT NULL DEFAULT '[]';
ALTER TABLE orchestrator_hosts {add} agent_name TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_hosts {add} agent_version TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_hosts {add} reach_state TEXT NOT NULL DEFAULT 'reachable';
ALTER TABLE orchestrator_hosts {add} reach_since {time};
ALTER TABLE orchestrator_hosts {add} last_error TEXT NOT NULL DEFAULT '';
ALTER TABLE orchestrator_hosts {add} probed_json TEXT NOT NULL DEFAULT '{}';

ALTER TABLE orchestrator_dead_letters {add} acknowledged_at {time};

CREATE TABLE orchestrator_operations (
  op_id TEXT PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  vm_id TEXT NOT NULL,
  snapshot_id TEXT NOT NULL,
  host_id TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  generation BIGINT NOT NULL,
  step TEXT NOT NULL,
  state TEXT NOT NULL,
  detail_json TEXT NOT NULL,
  request_hash {bytes},
  idem_scope TEXT NOT NULL,
  idem_key TEXT NOT NULL,
  response_status BIGINT NOT NULL,
  response_json TEXT NOT NULL,
  owner TEXT NOT NULL,
  lease_until {time},
  attempts BIGINT NOT NULL,
  error_code TEXT NOT NULL,
  last_error TEXT NOT NULL,
  created_at {time},
  updated_at {time},
  finished_at {time});
CREATE UNIQUE INDEX orchestrator_operations_idem_idx ON orchestrator_operations (idem_scope, idem_key)
  WHERE idem_key <> '';
CREATE UNIQUE INDEX orchestrator_operations_unfinished_idx ON orchestrator_operations (vm_id, kind)
  WHERE state = 'running' AND vm_id <> '';
CREATE INDEX orchestrator_operations_lease_idx ON orchestrator_operations (state, lease_until);
CREATE INDEX orchestrator_operations_vm_idx ON orchestrator_operations (vm_id, created_at DESC);
CREATE INDEX orchestrator_operations_tenant_idx ON orchestrator_operations (tenant_id, op_id) WHERE tenant_id <> '';

CREATE TABLE orchestrator_env_events (
  vm_id TEXT NOT NULL,
  incarnation {bytes} NOT NULL,
  seq BIGINT NOT NULL,
  kind TEXT NOT NULL,
  payload_json TEXT NOT NULL,
  created_at {time},
  PRIMARY KEY (vm_id, incarnation, seq)) {without_rowid};
CREATE TABLE orchestrator_env_logs (
  vm_id TEXT NOT NULL,
  incarnation {bytes} NOT NULL,
  source TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at {time},
  data {bytes} NOT NULL,
  PRIMARY KEY (vm_id, incarnation, source, seq));
CREATE INDEX orchestrator_env_logs_seq_idx ON orchestrator_env_logs (vm_id, incarnation, seq);
CREATE TABLE orchestrator_ended_vms (
  vm_id TEXT NOT NULL,
  incarnation {bytes} NOT NULL,
  ended_at {time} NOT NULL,
  PRIMARY KEY (vm_id, incarnation)) {without_rowid};
CREATE INDEX orchestrator_ended_vms_time_idx ON orchestrator_ended_vms (ended_at);

CREATE TABLE orchestrator_tombstones (
  host_id TEXT NOT NULL,
  host_vm_name TEXT NOT NULL,
  generation BIGINT NOT NULL,
  vm_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  removed_at {time},
  PRIMARY KEY (host_id, host_vm_name, generation)) {without_rowid};
CREATE INDEX orchestrator_tombstones_time_idx ON orchestrator_tombstones (removed_at);
CREATE TABLE orchestrator_leaked_artifacts (
  host_id TEXT NOT NULL,
  snapshot_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  first_seen_at {time},
  last_try_at {time},
  last_error TEXT NOT NULL,
  PRIMARY KEY (host_id, snapshot_id)) {without_rowid};
CREATE TABLE orchestrator_logins (
  value_sha256 {bytes} PRIMARY KEY NOT NULL,
  created_at {time},
  expires_at {time},
  revoked_at {time}) {without_rowid};
CREATE TABLE orchestrator_replicas (
  replica_id TEXT PRIMARY KEY NOT NULL,
  version TEXT NOT NULL,
  started_at {time},
  heartbeat_at {time},
  leader BIGINT NOT NULL) {without_rowid};
CREATE TABLE orchestrator_key_ring (
  key_id BIGINT PRIMARY KEY NOT NULL,
  check_value {bytes} NOT NULL,
  created_at {time},
  retired_at {time}) {without_rowid};
)sql";

// What a row of the reference does not say. Its names on the host are its ids; it counts run time from creation.
constexpr std::string_view kTakeOver = R"sql(
UPDATE orchestrator_vms SET host_vm_name = vm_id, state_changed_at = updated_at,
  running_at = CASE WHEN state IN ('running', 'draining') THEN created_at ELSE NULL END,
  backend = CASE WHEN gpus > 0 THEN 'qemu' ELSE COALESCE(
    (SELECT h.backend FROM orchestrator_hosts AS h WHERE h.host_id = orchestrator_vms.host_id), 'firecracker') END;
UPDATE orchestrator_hosts SET reach_since = updated_at;
)sql";
constexpr std::string_view kTakeOverPostgres = R"sql(
UPDATE orchestrator_vms SET incarnation = decode(substr(md5(random()::text || vm_id), 1, 16), 'hex')
  WHERE incarnation IS NULL;
)sql";
constexpr std::string_view kTakeOverSqlite = R"sql(
UPDATE orchestrator_vms SET incarnation = randomblob(8) WHERE incarnation IS NULL;
)sql";

// Lists are pages by id, newest first, or by state: an index that ends in the order of the page serves each, and what the
// shorter ones served too. Conditions keep them empty where a fleet has no tenants. Of the tasks' old ones nothing asks, and
// every transition would pay for them.
constexpr std::string_view kIndexes = R"sql(
DROP INDEX IF EXISTS orchestrator_vms_state_idx;
CREATE INDEX orchestrator_vms_state_page_idx ON orchestrator_vms (state, vm_id, running_at, backend);
DROP INDEX IF EXISTS orchestrator_vms_host_idx;
CREATE INDEX orchestrator_vms_host_page_idx ON orchestrator_vms (host_id, vm_id);
DROP INDEX IF EXISTS orchestrator_vms_tenant_idx;
CREATE INDEX orchestrator_vms_tenant_page_idx ON orchestrator_vms (tenant_id, vm_id) WHERE tenant_id <> '';
CREATE INDEX orchestrator_vms_host_name_idx ON orchestrator_vms (host_vm_name) WHERE host_vm_name <> vm_id;
DROP INDEX IF EXISTS orchestrator_tasks_vm_idx;
DROP INDEX IF EXISTS orchestrator_tasks_assigned_idx;
DROP INDEX IF EXISTS orchestrator_tasks_status_idx;
CREATE INDEX orchestrator_tasks_status_time_idx ON orchestrator_tasks (run_status, updated_at);
DROP INDEX IF EXISTS orchestrator_snapshots_vm_idx;
DROP INDEX IF EXISTS orchestrator_snapshots_state_idx;
DROP INDEX IF EXISTS orchestrator_snapshots_tenant_idx;
CREATE INDEX orchestrator_snapshots_page_idx ON orchestrator_snapshots (created_at DESC, snapshot_id DESC);
CREATE INDEX orchestrator_snapshots_vm_page_idx ON orchestrator_snapshots (vm_id, created_at DESC, snapshot_id DESC);
CREATE INDEX orchestrator_snapshots_state_page_idx
  ON orchestrator_snapshots (state, created_at DESC, snapshot_id DESC);
CREATE INDEX orchestrator_snapshots_tenant_page_idx
  ON orchestrator_snapshots (tenant_id, created_at DESC, snapshot_id DESC);
CREATE INDEX orchestrator_snapshots_owner_page_idx
  ON orchestrator_snapshots (owner_tenant_id, created_at DESC, snapshot_id DESC) WHERE owner_tenant_id <> '';
CREATE INDEX orchestrator_snapshots_parent_idx ON orchestrator_snapshots (parent_snapshot_id)
  WHERE parent_snapshot_id <> '';
CREATE INDEX orchestrator_snapshots_retry_idx ON orchestrator_snapshots (next_retry_at)
  WHERE state IN ('deleting', 'error');
)sql";
// Room beside a row keeps its next version on its page, where the indexes need no new entries. The index finds what other
// replicas added while the notifications were away; a summary per block range costs inserts nothing.
constexpr std::string_view kIndexesPostgres = R"sql(
ALTER TABLE orchestrator_hosts SET (fillfactor = 50);
ALTER TABLE orchestrator_vms SET (fillfactor = 75);
CREATE INDEX orchestrator_env_events_time_idx ON orchestrator_env_events USING brin (created_at);
)sql";

// Every create begins and ends an operation: an index of those that run is small, and one that has ended costs it nothing.
// The retention goes by the ids, which grow with time.
constexpr std::string_view kRunningOperations = R"sql(
DROP INDEX orchestrator_operations_lease_idx;
CREATE INDEX orchestrator_operations_running_idx ON orchestrator_operations (lease_until) WHERE state = 'running';
UPDATE orchestrator_operations SET lease_until = NULL WHERE state <> 'running';
)sql";

// Audit events are read newest first, which is the order of their ids.
constexpr std::string_view kEventIndexes =
    "DROP INDEX IF EXISTS orchestrator_events_entity_idx;"
    "DROP INDEX IF EXISTS orchestrator_events_type_idx;"
    "CREATE INDEX orchestrator_events_of_entity_idx ON orchestrator_events (entity_id, id);"
    "CREATE INDEX orchestrator_events_rare_type_idx ON orchestrator_events (event_type, id) "
    "WHERE " FUSEBOX_RARE_EVENT_TYPE
    ";"
    "CREATE INDEX orchestrator_events_rare_entity_idx ON orchestrator_events (entity_type, id) "
    "WHERE " FUSEBOX_RARE_ENTITY_TYPE ";";

// An eviction outlives the process it was asked of.
constexpr std::string_view kEvictions = R"sql(
ALTER TABLE orchestrator_hosts {add} evict_at {time};
)sql";

// Whose an ended environment was: a name may be used again by another tenant.
constexpr std::string_view kEndedTenants = R"sql(
ALTER TABLE orchestrator_ended_vms {add} tenant_id TEXT NOT NULL DEFAULT '';
)sql";

// API keys are read newest first.
constexpr std::string_view kKeyPages = R"sql(
CREATE INDEX orchestrator_api_keys_page_idx ON orchestrator_api_keys (created_at DESC, id DESC);
)sql";

constexpr Migration kOwn[] = {
    {101, "0101_state_that_survives.sql", kColumns},
    {102, "0102_take_over.sql", kTakeOver, kTakeOverPostgres, kTakeOverSqlite},
    {103, "0103_pages.sql", kIndexes, kIndexesPostgres},
    {104, "0104_running_operations.sql", kRunningOperations},
    {105, "0105_event_indexes.sql", kEventIndexes},
    {106, "0106_evictions.sql", kEvictions},
    {107, "0107_ended_tenants.sql", kEndedTenants},
    {108, "0108_api_key_pages.sql", kKeyPages},
};

}  // namespace

std::span<const Migration> own_migrations() noexcept {
  return kOwn;
}

}  // namespace fusebox::fleet
