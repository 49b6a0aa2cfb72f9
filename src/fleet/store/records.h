// The rows of the control plane's tables as plain values.
//
// Times are wall time in whole microseconds, 0 = none (NULL, or the zero time). Texts that hold JSON are valid JSON. Bytes
// named `sealed` are ciphertext of secrets/vault.h; a store never sees a key.
//
// Threads  plain values.
// Contract control-plane.md 16.2; columns marked there with [+] are ours
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace fusebox::fleet {

enum class EnvironmentState : std::uint8_t { provisioning, running, draining, destroying };
enum class HostState : std::uint8_t { active, cordoned, draining };
enum class Reachability : std::uint8_t { reachable, suspect, unreachable };
enum class TaskStatus : std::uint8_t { assigned, running, completed, failed };
enum class SnapshotState : std::uint8_t { creating, ready, restoring, deleting, error };
enum class OperationState : std::uint8_t { running, done, failed, cancelled };
// The words of the wire and of the tables.
std::string_view to_string(EnvironmentState state) noexcept;
std::string_view to_string(HostState state) noexcept;
std::string_view to_string(Reachability state) noexcept;
std::string_view to_string(TaskStatus status) noexcept;
std::string_view to_string(SnapshotState state) noexcept;
std::string_view to_string(OperationState state) noexcept;

using Incarnation = std::array<std::byte, 8>;

struct EnvironmentRow {  // orchestrator_vms
  std::string vm_id;
  std::string host_id;       // "" = the default provider of its backend
  std::string host_vm_name;  // its name there
  std::uint64_t generation = 1;
  Incarnation incarnation{};
  EnvironmentState state = EnvironmentState::provisioning;
  std::string backend;  // "wasm", "firecracker", "qemu", "stub"
  std::string url;
  std::string task_id;
  std::string tenant_id;
  std::int64_t cpus = 1, ram_mb = 512, storage_gb = 0;  // effective
  std::string region;
  std::int64_t max_runtime_seconds = 0;   // as asked, 0 = the fleet's
  std::int64_t idle_timeout_seconds = 0;  // as asked, 0 = the fleet's
  base::Bytes auth_token_sealed, secrets_sealed, boot_sealed;
  base::Bytes cert_sha256;
  base::Nanos cert_not_after{0};
  std::string last_error;
  std::string endpoints_json = "[]";
  std::int64_t gpus = 0;
  std::string gpu_kind, gpu_profile;
  std::vector<std::string> gpu_uuids, mig_instance_uuids;
  std::string spec_json = "{}";  // the request's spec, normalised
  std::string source_vm_id, source_snapshot_id;
  std::string op_id;  // of the operation under way, "" = none
  std::string boot_id;
  base::Nanos created_at{0}, updated_at{0}, state_changed_at{0}, running_at{0};
  std::int64_t boot_ms = 0;
  // The object of the API as it is answered, less what changes without the row (host_reachable); view_version says by
  // which rules it was written.
  std::string view_json;
  std::int32_t view_version = 0;

  // Written by calls of their own, so that a transition never overwrites them (see Tx).
  std::string health_json;  // "" = no verdict
  base::Nanos last_activity_at{0};
  std::int32_t stuck_strikes = 0, idle_strikes = 0;
  base::Nanos missing_seen_at{0};  // when a list first lacked it
  std::uint64_t event_seq = 0;
};

struct TaskRow {  // orchestrator_tasks
  std::string task_id{}, vm_id{};
  TaskStatus run_status = TaskStatus::assigned;
  std::int32_t retry_count = 0;
  std::string last_error{};
  base::Nanos assigned_at{0}, updated_at{0};
};

struct HostRow {  // orchestrator_hosts
  std::string host_id, url;
  base::Bytes token_sealed;
  std::string region, tenant_id, backend = "firecracker", arch;
  HostState state = HostState::active;
  std::map<std::string, std::string> labels;
  std::int64_t cpus_total = 0, ram_mb_total = 0, storage_gb_total = 0, vm_count_max = 0, gpus_total = 0;
  std::string gpu_kind;
  std::map<std::string, std::int64_t> mig_profiles;
  std::string gpu_devices_json = "[]", mig_instances_json = "[]";
  std::string tls_json;  // client key sealed inside
  std::vector<std::string> features;
  std::string agent_name, agent_version;
  std::string probed_json = "{}";  // capacity fields that came from the probe, not from the caller
  Reachability reach_state = Reachability::reachable;
  base::Nanos reach_since{0};
  std::string last_error;
  base::Nanos last_seen_at{0}, created_at{0}, updated_at{0};
  base::Nanos evict_at{0};  // draining with eviction: what is left then is destroyed; 0 = nothing is
  // Sums over its environments, kept in the same transactions; corrected by the reconciler.
  std::int64_t cpus_allocated = 0, ram_mb_allocated = 0, storage_gb_allocated = 0, vm_count_allocated = 0,
               gpus_allocated = 0;
};

struct SnapshotRow {  // orchestrator_snapshots
  std::string snapshot_id, vm_id, task_id, host_id;
  std::string tenant_id;        // as shown: layer scope, else task or vm id (10.3)
  std::string owner_tenant_id;  // who may see it
  std::string parent_snapshot_id, mode, kind = "disk", backend, arch, layer_key, digest;
  SnapshotState state = SnapshotState::ready;
  std::int64_t size_bytes = 0;
  base::Nanos retention_until{0};
  std::string metadata_json = "{}", exports_json = "[]", last_error, op_id;
  base::Nanos created_at{0}, updated_at{0}, last_used_at{0}, next_retry_at{0};
  std::int32_t retry_count = 0;
};

struct EventRow {  // orchestrator_events: audit and history
  std::int64_t id = 0;
  std::string entity_type{}, entity_id{}, event_type{}, payload_json = "{}";
  base::Nanos created_at{0};
};

struct EnvEventRow {  // orchestrator_env_events: what SSE clients read
  std::string vm_id{};
  Incarnation incarnation{};
  std::uint64_t seq = 0;
  std::string kind{};          // "state", "step", "health", "log", "snapshot"
  std::string payload_json{};  // of the frame, less its `id`
  base::Nanos created_at{0};
};

inline constexpr std::uint64_t kLogPageBytes = 1u << 20;  // of one read: what is kept of one source
struct EnvLogRow {                                        // orchestrator_env_logs
  std::string vm_id{};
  Incarnation incarnation{};
  std::string source{};
  std::uint64_t seq = 0;
  base::Nanos at{0};
  std::string data{};
};

struct EndedEnvironment {  // orchestrator_ended_vms: what is left of a row whose events and logs can still be read
  Incarnation incarnation{};
  std::string tenant_id{};  // "" also of those that ended before this was kept
  base::Nanos ended_at{0};
};

struct DeadLetterRow {
  std::int64_t id = 0;
  std::string kind{}, entity_id{}, task_id{}, reason{}, payload_json = "{}";
  std::int32_t retry_count = 0;
  base::Nanos first_seen_at{0}, last_seen_at{0};
  base::Nanos acknowledged_at{0};
};

struct ApiKeyRow {
  std::string id{}, label{}, tenant_id{}, created_by{};
  base::Bytes key_hash{};                            // SHA-256
  std::optional<std::vector<std::string>> scopes{};  // nothing: the default set of 2.3
  base::Nanos created_at{0}, last_used_at{0}, revoked_at{0}, expires_at{0};
};

struct LoginRow {
  base::Bytes value_sha256{};
  base::Nanos created_at{0}, expires_at{0}, revoked_at{0};
};

struct OperationRow {
  std::string op_id, kind;  // create, destroy, drain, rotate, fork, snapshot, restore, delete_snapshot, migrate, ...
  std::string vm_id, snapshot_id, host_id, tenant_id;
  std::uint64_t generation = 0;
  std::string step;
  OperationState state = OperationState::running;
  std::string detail_json = "{}";  // what the steps need to go on after a crash
  base::Bytes request_hash;
  std::string idem_scope, idem_key;  // "" = none
  std::int32_t response_status = 0;  // of the first outcome, for replay
  std::string response_json;
  std::string owner;  // replica
  base::Nanos lease_until{0};
  std::int32_t attempts = 0;
  std::string error_code, last_error;
  base::Nanos created_at{0}, updated_at{0}, finished_at{0};
  std::string request_id;  // of the request it serves, for agents and events; not stored: nobody waits after a crash
};

struct TombstoneRow {
  std::string host_id{}, host_vm_name{}, vm_id{}, reason{};
  std::uint64_t generation = 0;
  base::Nanos removed_at{0};
};

struct LeakedArtifactRow {
  std::string host_id{}, snapshot_id{}, digest{}, last_error{};
  std::int64_t size_bytes = 0;
  base::Nanos first_seen_at{0}, last_try_at{0};
};

struct ReplicaRow {
  std::string replica_id{}, version{};
  base::Nanos started_at{0}, heartbeat_at{0};
  bool leader = false;
};

struct KeyRingRow {
  std::uint32_t key_id = 0;
  base::Bytes check_value{};
  base::Nanos created_at{0}, retired_at{0};
};

}  // namespace fusebox::fleet
