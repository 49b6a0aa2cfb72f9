#include "fleet/api/schemas.h"

#include <algorithm>
#include <array>

namespace fusebox::fleet {

namespace {

using Fields = SchemaField;
constexpr bool kMust = true, kMay = false, kOurs = true;

constexpr Fields kError[] = {{"error", "#ErrorBody", kMust}};
constexpr Fields kErrorBody[] = {
    {"code", "string", kMust}, {"message", "string", kMust}, {"details", "{string}", kMay}};
constexpr Fields kHealth[] = {{"status", "string", kMust}};
constexpr Fields kReady[] = {{"status", "ready|not_ready", kMust}, {"checks", "{string}", kMust}};
constexpr Fields kVersion[] = {
    {"service", "string", kMust},           {"version", "string", kMust},
    {"product", "string", kMust, kOurs},    {"product_version", "string", kMust, kOurs},
    {"features", "[string]", kMust, kOurs},
};
constexpr Fields kLoginRequest[] = {{"token", "string", kMust}};

constexpr Fields kEgressRule[] = {
    {"cidr", "string", kMay, kOurs},
    {"host", "string", kMay, kOurs},
    {"ports", "[any]", kMay, kOurs, "numbers, or ranges as \"a-b\""},
    {"proto", "tcp|udp", kMay, kOurs},
};
constexpr Fields kEgress[] = {
    {"default", "allow|deny", kMay, kOurs},
    {"allow", "[#EgressRule]", kMay, kOurs},
    {"deny", "[#EgressRule]", kMay, kOurs},
    {"bandwidth_kbps", "int64", kMay, kOurs},
};
constexpr Fields kDesktopOfSpec[] = {{"wm", "mutter|xfwm4|openbox", kMay, kOurs}};
constexpr Fields kSpec[] = {
    {"cpus", "int32", kMay},
    {"ram_mb", "int32", kMay},
    {"storage_gb", "int32", kMay},
    {"region", "string", kMay},
    {"arch", "string", kMay},
    {"max_runtime_seconds", "int64", kMay},
    {"idle_timeout_seconds", "int64", kMay},
    {"image", "string", kMay},
    {"gpus", "int32", kMay},
    {"gpu_kind", "string", kMay},
    {"gpu_profile", "string", kMay},
    {"host_id", "string", kMay},
    {"labels", "{string}", kMay},
    {"backend", "wasm|firecracker|qemu|stub", kMay, kOurs},
    {"egress", "#EgressPolicy", kMay, kOurs},
    {"huge_pages", "bool", kMay, kOurs},
    {"desktop", "#DesktopSettings", kMay, kOurs},
};
constexpr Fields kExpose[] = {{"port", "int32", kMust}, {"as", "string", kMay}, {"protocol", "tcp|udp", kMay, kOurs}};
constexpr Fields kHttpCheck[] = {{"port", "int32", kMust}, {"path", "string", kMay}};
constexpr Fields kHealthcheck[] = {
    {"http", "#HttpCheck", kMay},       {"exec", "[string]", kMay}, {"interval_seconds", "int32", kMay},
    {"timeout_seconds", "int32", kMay}, {"retries", "int32", kMay}, {"start_period_seconds", "int32", kMay},
};
constexpr Fields kDesktop[] = {
    {"width", "int32", kMust}, {"height", "int32", kMust}, {"wm", "mutter|xfwm4|openbox", kMay, kOurs}};
constexpr Fields kStep[] = {
    {"run", "string", kMust, kOurs},
    {"name", "string", kMay, kOurs},
    {"key", "string", kMay, kOurs},
    {"timeout_seconds", "int64", kMay, kOurs},
};
constexpr Fields kAgent[] = {
    {"binary_path", "string", kMay, kOurs},     {"download_url", "string", kMay, kOurs},
    {"download_sha256", "string", kMay, kOurs}, {"listen", "string", kMay, kOurs},
    {"extra_args", "string", kMay, kOurs},      {"drain_command", "string", kMay, kOurs},
};
constexpr Fields kEgressProxy[] = {
    {"mode", "direct|proxy", kMay, kOurs},
    {"provider", "string", kMay, kOurs},
    {"protocol", "socks5|http", kMay, kOurs},
};
constexpr Fields kCreate[] = {
    {"task_id", "string", kMust},
    {"spec", "#Spec", kMay},
    {"manifest_inline", "string", kMay},
    {"secrets", "{string}", kMay},
    {"startup_script", "string", kMay},
    {"startup_steps", "[#StartupStep]", kMay, kOurs},
    {"startup_script_timeout_seconds", "int64", kMay},
    {"rerun_script_on_reboot", "bool", kMay, kOurs},
    {"gateway_url", "string", kMay},
    {"gateway_token", "string", kMay},
    {"expose", "[#Expose]", kMay},
    {"healthcheck", "#Healthcheck", kMay},
    {"desktop", "#Desktop", kMay},
    {"files", "{string}", kMay},
    {"file_modes", "{string}", kMay, kOurs},
    {"seed_snapshot_id", "string", kMay},
    {"agent", "#Agent", kMay, kOurs},
    {"egress", "#EgressProxy", kMay, kOurs},
};
constexpr Fields kEndpoint[] = {
    {"as", "string", kMay}, {"url", "string", kMust}, {"port", "int32", kMust}, {"protocol", "tcp|udp", kMay, kOurs}};
constexpr Fields kVerdict[] = {
    {"state", "starting|passing|failing", kMust},
    {"since", "time", kMust},
    {"failures", "int64", kMay},
    {"message", "string", kMay},
};
constexpr Fields kForkedFrom[] = {{"vm_id", "string", kMay, kOurs}, {"snapshot_id", "string", kMay, kOurs}};
constexpr Fields kResources[] = {
    {"cpus", "int64", kMust, kOurs}, {"ram_mb", "int64", kMust, kOurs}, {"storage_gb", "int64", kMust, kOurs}};
constexpr Fields kProxyHealth[] = {
    {"state", "unknown|healthy|unhealthy", kMust, kOurs},
    {"reason", "string", kMay, kOurs},
    {"checked_at", "time", kMay, kOurs},
};
constexpr Fields kEgressState[] = {
    {"mode", "direct|proxy", kMust, kOurs},   {"provider", "string", kMay, kOurs},
    {"protocol", "socks5|http", kMay, kOurs}, {"endpoint", "string", kMay, kOurs},
    {"health", "#ProxyHealth", kMay, kOurs},
};
constexpr Fields kEnvironment[] = {
    {"id", "string", kMust},
    {"state", "provisioning|running|draining|destroying", kMust},
    {"task_id", "string", kMust},
    {"host_id", "string", kMay},
    {"url", "string", kMust},
    {"spec", "#Spec", kMust},
    {"created_at", "time", kMust},
    {"updated_at", "time", kMust},
    {"error", "string", kMay},
    {"endpoints", "[#Endpoint]", kMay},
    {"health", "#Verdict", kMay},
    {"backend", "string", kMay, kOurs},
    {"generation", "int64", kMay, kOurs},
    {"tenant_id", "string", kMay, kOurs},
    {"op_id", "string", kMay, kOurs},
    {"host_reachable", "bool", kMay, kOurs},
    {"forked_from", "#ForkedFrom", kMay, kOurs},
    {"resources", "#Resources", kMay, kOurs},
    {"boot_ms", "int64", kMay, kOurs},
    {"egress", "#EgressState", kMay, kOurs},
};
constexpr Fields kEnvironmentList[] = {{"environments", "[#Environment]", kMust}, {"next_cursor", "string", kMay}};
constexpr Fields kFork[] = {
    {"reuse_snapshot_id", "string", kMay},
    {"comment", "string", kMay},
    {"task_id", "string", kMay, kOurs},
    {"live", "bool", kMay, kOurs},
};
constexpr Fields kExec[] = {
    {"cmd", "[string]", kMay},
    {"shell", "string", kMay},
    {"timeout_ms", "int64", kMay},
    {"env", "{string}", kMay, kOurs},
    {"cwd", "string", kMay, kOurs},
    {"user", "string", kMay, kOurs},
    {"stdin_b64", "string", kMay, kOurs},
    {"encoding", "string", kMay, kOurs},
};
constexpr Fields kTruncated[] = {{"stdout", "bool", kMay, kOurs}, {"stderr", "bool", kMay, kOurs}};
constexpr Fields kExecResult[] = {
    {"exit_code", "int32", kMust},
    {"stdout", "string", kMay},
    {"stderr", "string", kMay},
    {"stdout_b64", "string", kMay, kOurs},
    {"stderr_b64", "string", kMay, kOurs},
    {"timed_out", "bool", kMay, kOurs},
    {"truncated", "#Truncated", kMay, kOurs},
    {"signal", "string", kMay, kOurs},
};
constexpr Fields kMigrate[] = {
    {"target_host_id", "string", kMay, kOurs}, {"live", "bool", kMay, kOurs}, {"lazy", "bool", kMay, kOurs}};
constexpr Fields kFileEntry[] = {
    {"name", "string", kMust, kOurs}, {"type", "string", kMust, kOurs}, {"size", "int64", kMust, kOurs},
    {"mode", "string", kMust, kOurs}, {"mtime", "time", kMust, kOurs},
};
constexpr Fields kFileList[] = {{"entries", "[#FileEntry]", kMust, kOurs}};
constexpr Fields kWrittenFile[] = {{"path", "string", kMust, kOurs}, {"size", "int64", kMust, kOurs}};
constexpr Fields kLogRecord[] = {
    {"at", "time", kMay, kOurs},
    {"source", "string", kMay, kOurs},
    {"data", "string", kMay, kOurs},
    {"keepalive", "bool", kMay, kOurs},
};
constexpr Fields kComputerAction[] = {
    {"action", "string", kMust},
    {"coordinate", "[any]", kMay},
    {"start_coordinate", "[any]", kMay},
    {"text", "string", kMay},
    {"region", "[any]", kMay},
    {"duration", "number", kMay},
    {"scroll_direction", "string", kMay},
    {"scroll_amount", "number", kMay},
};
constexpr Fields kComputerResult[] = {{"output", "string", kMay}, {"screenshot", "string", kMay}};
constexpr Fields kDisplay[] = {
    {"display", "string", kMay}, {"up", "bool", kMust},         {"width", "int32", kMust},
    {"height", "int32", kMust},  {"wm", "string", kMay, kOurs}, {"error", "string", kMay},
};
constexpr Fields kEvent[] = {
    {"id", "string", kMust},           {"event", "string", kMust},     {"vm_id", "string", kMust},
    {"state", "string", kMay},         {"url", "string", kMay},        {"error", "string", kMay},
    {"updated_at", "time", kMay},      {"index", "int32", kMay},       {"total", "int32", kMay},
    {"key", "string", kMay},           {"cached", "bool", kMay},       {"miss_reason", "string", kMay},
    {"miss_detail", "[string]", kMay}, {"duration_ms", "int64", kMay}, {"exit_code", "int32", kMay},
    {"payload", "any", kMay, kOurs},
};
constexpr Fields kSecretsRequest[] = {{"secrets", "{string}", kMust, kOurs}};

constexpr Fields kSnapshotRequest[] = {
    {"comment", "string", kMay},    {"mode", "string", kMay},       {"retention_seconds", "int64", kMay},
    {"metadata", "{string}", kMay}, {"export_ref", "string", kMay}, {"export_status", "string", kMay},
    {"layer_key", "string", kMay},  {"live", "bool", kMay, kOurs},
};
constexpr Fields kExport[] = {
    {"destination", "string", kMust}, {"status", "string", kMay},     {"requested_at", "time", kMust},
    {"updated_at", "time", kMust},    {"last_error", "string", kMay},
};
constexpr Fields kSnapshot[] = {
    {"id", "string", kMust},
    {"vm_id", "string", kMust},
    {"task_id", "string", kMay},
    {"tenant_id", "string", kMay},
    {"parent_snapshot_id", "string", kMay},
    {"mode", "string", kMay},
    {"state", "creating|ready|restoring|deleting|error", kMay},
    {"comment", "string", kMay},
    {"name", "string", kMay},
    {"layer_key", "string", kMay},
    {"arch", "string", kMay},
    {"digest", "string", kMay},
    {"size_bytes", "int64", kMay},
    {"created_at", "time", kMust},
    {"updated_at", "time", kMust},
    {"retention_until", "time", kMay},
    {"last_error", "string", kMay},
    {"export_ref", "string", kMay},
    {"exports", "[#Export]", kMay},
    {"kind", "disk|live", kMay, kOurs},
    {"backend", "string", kMay, kOurs},
    {"host_id", "string", kMay, kOurs},
};
constexpr Fields kSnapshotList[] = {{"snapshots", "[#Snapshot]", kMust}, {"next_cursor", "string", kMay}};
constexpr Fields kResolved[] = {{"found", "bool", kMust}, {"snapshot", "#Snapshot", kMay}};
constexpr Fields kForkSnapshot[] = {
    {"task_id", "string", kMay, kOurs}, {"spec", "#Spec", kMay, kOurs}, {"comment", "string", kMay, kOurs}};

constexpr Fields kMigInstance[] = {{"uuid", "string", kMay},
                                   {"profile", "string", kMay},
                                   {"kind", "string", kMay},
                                   {"parent_gpu_uuid", "string", kMay}};
constexpr Fields kGpuDevice[] = {
    {"uuid", "string", kMay},        {"model", "string", kMay},          {"pci_bus_id", "string", kMay},
    {"memory_mb", "int64", kMay},    {"driver_version", "string", kMay}, {"cuda_version", "string", kMay},
    {"compute_cap", "string", kMay}, {"mig_capable", "bool", kMay},      {"mig_mode", "string", kMay},
    {"iommu_group", "string", kMay},
};
constexpr Fields kCapacity[] = {
    {"cpus", "int64", kMust},
    {"ram_mb", "int64", kMust},
    {"storage_gb", "int64", kMust},
    {"vm_count", "int64", kMust},
    {"arch", "string", kMay},
    {"gpus", "int64", kMay},
    {"gpu_kind", "string", kMay},
    {"mig_profiles", "{int64}", kMay},
    {"mig_instances", "[#MigInstance]", kMay},
    {"gpu_devices", "[#GpuDevice]", kMay},
};
constexpr Fields kAllocated[] = {
    {"cpus", "int64", kMust},          {"ram_mb", "int64", kMust},
    {"storage_gb", "int64", kMust},    {"vm_count", "int64", kMust},
    {"gpus", "int64", kMay},           {"gpu_kind", "string", kMay},
    {"mig_profiles", "{int64}", kMay}, {"mig_instance_uuids", "[string]", kMay},
};
constexpr Fields kReachability[] = {
    {"state", "reachable|suspect|unreachable", kMust, kOurs},
    {"since", "time", kMay, kOurs},
    {"last_error", "string", kMay, kOurs},
};
constexpr Fields kHostAgent[] = {
    {"name", "string", kMay, kOurs}, {"version", "string", kMay, kOurs}, {"features", "[string]", kMay, kOurs}};
constexpr Fields kHost[] = {
    {"id", "string", kMust},
    {"url", "string", kMust},
    {"region", "string", kMay},
    {"backend", "string", kMay},
    {"labels", "{string}", kMay},
    {"state", "active|cordoned|draining", kMust},
    {"capacity", "#Capacity", kMust},
    {"allocated", "#Allocated", kMust},
    {"last_seen", "time", kMust},
    {"created_at", "time", kMust},
    {"updated_at", "time", kMust},
    {"warnings", "[string]", kMay},
    {"reachability", "#Reachability", kMay, kOurs},
    {"agent", "#HostAgent", kMay, kOurs},
};
constexpr Fields kHostList[] = {{"hosts", "[#Host]", kMust}, {"next_cursor", "string", kMay}};
constexpr Fields kHostTls[] = {
    {"ca_pem", "string", kMay, kOurs},
    {"fingerprint_sha256", "string", kMay, kOurs},
    {"client_cert_pem", "string", kMay, kOurs},
    {"client_key_pem", "string", kMay, kOurs},
};
constexpr Fields kCapacityRequest[] = {
    {"cpus", "int32", kMay},      {"ram_mb", "int32", kMay},         {"storage_gb", "int32", kMay},
    {"vm_count", "int32", kMust}, {"arch", "string", kMay},          {"gpus", "int32", kMay},
    {"gpu_kind", "string", kMay}, {"mig_profiles", "{int32}", kMay},
};
constexpr Fields kRegister[] = {
    {"id", "string", kMust},
    {"url", "string", kMust},
    {"token", "string", kMay},
    {"region", "string", kMay},
    {"backend", "string", kMay},
    {"labels", "{string}", kMay},
    {"capacity", "#CapacityRequest", kMust},
    {"tls", "#HostTls", kMay, kOurs},
};
constexpr Fields kExplainRequest[] = {{"spec", "#Spec", kMay, kOurs}};
constexpr Fields kExplained[] = {
    {"host_id", "string", kMust, kOurs},
    {"fits", "bool", kMust, kOurs},
    {"reason", "string", kMay, kOurs},
    {"score", "int64", kMay, kOurs},
};
constexpr Fields kExplanation[] = {{"hosts", "[#ExplainedHost]", kMust, kOurs}, {"decision", "any", kMay, kOurs}};
constexpr Fields kDrainHost[] = {{"evict", "bool", kMay, kOurs}, {"timeout_seconds", "int64", kMay, kOurs}};
constexpr Fields kHeartbeatAgent[] = {{"version", "string", kMay, kOurs}, {"features", "[string]", kMay, kOurs}};
constexpr Fields kHeartbeatVm[] = {
    {"vm_id", "string", kMust, kOurs},
    {"generation", "int64", kMay, kOurs},
    {"state", "string", kMay, kOurs},
    {"boot_id", "string", kMay, kOurs},
};
constexpr Fields kHeartbeat[] = {
    {"agent", "#HeartbeatAgent", kMay, kOurs},
    {"capacity", "any", kMay, kOurs},
    {"vms", "[#HeartbeatVm]", kMay, kOurs},
};

constexpr Fields kCreateKey[] = {
    {"label", "string", kMay},
    {"scopes", "[string]", kMay, kOurs},
    {"tenant_id", "string", kMay, kOurs},
    {"expires_in_seconds", "int64", kMay, kOurs},
};
constexpr Fields kCreatedKey[] = {
    {"id", "string", kMust},
    {"label", "string", kMay},
    {"created_at", "time", kMust},
    {"key", "string", kMay, false, "shown once: absent when the answer is a repeated one"},
    {"scopes", "[string]", kMust, kOurs},
    {"tenant_id", "string", kMay, kOurs},
    {"expires_at", "time", kMay, kOurs},
};
constexpr Fields kKey[] = {
    {"id", "string", kMust},
    {"label", "string", kMay},
    {"created_at", "time", kMust},
    {"last_used_at", "time", kMay},
    {"revoked_at", "time", kMay},
    {"scopes", "[string]", kMust, kOurs},
    {"tenant_id", "string", kMay, kOurs},
    {"expires_at", "time", kMay, kOurs},
};
constexpr Fields kKeyList[] = {{"api_keys", "[#Key]", kMust}, {"next_cursor", "string", kMay, kOurs}};

constexpr Fields kOperation[] = {
    {"id", "string", kMust, kOurs},
    {"kind", "string", kMust, kOurs},
    {"state", "running|done|failed|cancelled", kMust, kOurs},
    {"step", "string", kMay, kOurs},
    {"vm_id", "string", kMay, kOurs},
    {"snapshot_id", "string", kMay, kOurs},
    {"host_id", "string", kMay, kOurs},
    {"tenant_id", "string", kMay, kOurs},
    {"generation", "int64", kMay, kOurs},
    {"attempts", "int32", kMay, kOurs},
    {"owner", "string", kMay, kOurs},
    {"error_code", "string", kMay, kOurs},
    {"last_error", "string", kMay, kOurs},
    {"created_at", "time", kMust, kOurs},
    {"updated_at", "time", kMust, kOurs},
    {"finished_at", "time", kMay, kOurs},
};
constexpr Fields kOperationList[] = {{"operations", "[#Operation]", kMust, kOurs},
                                     {"next_cursor", "string", kMay, kOurs}};
constexpr Fields kAudit[] = {
    {"id", "int64", kMust, kOurs},         {"entity_type", "string", kMust, kOurs},
    {"entity_id", "string", kMust, kOurs}, {"event_type", "string", kMust, kOurs},
    {"payload", "any", kMust, kOurs},      {"created_at", "time", kMust, kOurs},
};
constexpr Fields kAuditList[] = {{"events", "[#AuditEvent]", kMust, kOurs}, {"next_cursor", "string", kMay, kOurs}};
constexpr Fields kDeadLetter[] = {
    {"id", "int64", kMust, kOurs},          {"kind", "string", kMust, kOurs},
    {"entity_id", "string", kMust, kOurs},  {"task_id", "string", kMay, kOurs},
    {"reason", "string", kMust, kOurs},     {"retry_count", "int32", kMust, kOurs},
    {"payload", "any", kMust, kOurs},       {"first_seen_at", "time", kMust, kOurs},
    {"last_seen_at", "time", kMust, kOurs}, {"acknowledged_at", "time", kMay, kOurs},
};
constexpr Fields kDeadLetterList[] = {{"dead_letters", "[#DeadLetter]", kMust, kOurs},
                                      {"next_cursor", "string", kMay, kOurs}};

constexpr auto kSchemas = std::to_array<Schema>({
    {"Error", kError},
    {"ErrorBody", kErrorBody},
    {"Health", kHealth},
    {"Ready", kReady},
    {"Version", kVersion},
    {"Document", {}, true},
    {"LoginRequest", kLoginRequest},
    {"EgressRule", kEgressRule},
    {"EgressPolicy", kEgress},
    {"DesktopSettings", kDesktopOfSpec},
    {"Spec", kSpec},
    {"Expose", kExpose},
    {"HttpCheck", kHttpCheck},
    {"Healthcheck", kHealthcheck},
    {"Desktop", kDesktop},
    {"StartupStep", kStep},
    {"Agent", kAgent},
    {"EgressProxy", kEgressProxy},
    {"CreateEnvironmentRequest", kCreate},
    {"Endpoint", kEndpoint},
    {"Verdict", kVerdict},
    {"ForkedFrom", kForkedFrom},
    {"Resources", kResources},
    {"ProxyHealth", kProxyHealth},
    {"EgressState", kEgressState},
    {"Environment", kEnvironment},
    {"EnvironmentList", kEnvironmentList},
    {"ForkRequest", kFork},
    {"ExecRequest", kExec},
    {"Truncated", kTruncated},
    {"ExecResult", kExecResult},
    {"MigrateRequest", kMigrate},
    {"FileEntry", kFileEntry},
    {"FileList", kFileList},
    {"WrittenFile", kWrittenFile},
    {"LogRecord", kLogRecord},
    {"ComputerAction", kComputerAction, true},
    {"ComputerResult", kComputerResult, true},
    {"Display", kDisplay, true},
    {"Event", kEvent},
    {"SecretsRequest", kSecretsRequest},
    {"SnapshotRequest", kSnapshotRequest},
    {"Export", kExport},
    {"Snapshot", kSnapshot},
    {"SnapshotList", kSnapshotList},
    {"ResolvedSnapshot", kResolved},
    {"ForkSnapshotRequest", kForkSnapshot},
    {"MigInstance", kMigInstance},
    {"GpuDevice", kGpuDevice},
    {"Capacity", kCapacity},
    {"Allocated", kAllocated},
    {"Reachability", kReachability},
    {"HostAgent", kHostAgent},
    {"Host", kHost},
    {"HostList", kHostList},
    {"HostTls", kHostTls},
    {"CapacityRequest", kCapacityRequest},
    {"RegisterHostRequest", kRegister},
    {"ExplainRequest", kExplainRequest},
    {"ExplainedHost", kExplained},
    {"Explanation", kExplanation},
    {"DrainHostRequest", kDrainHost},
    {"HeartbeatAgent", kHeartbeatAgent},
    {"HeartbeatVm", kHeartbeatVm},
    {"HeartbeatRequest", kHeartbeat},
    {"CreateKeyRequest", kCreateKey},
    {"CreatedKey", kCreatedKey},
    {"Key", kKey},
    {"KeyList", kKeyList},
    {"Operation", kOperation},
    {"OperationList", kOperationList},
    {"AuditEvent", kAudit},
    {"AuditList", kAuditList},
    {"DeadLetter", kDeadLetter},
    {"DeadLetterList", kDeadLetterList},
});

}  // namespace

std::span<const Schema> schema_table() noexcept {
  return kSchemas;
}

const Schema* find_schema(std::string_view name) noexcept {
  const auto found = std::ranges::find(kSchemas, name, &Schema::name);
  return found == kSchemas.end() ? nullptr : &*found;
}

}  // namespace fusebox::fleet
