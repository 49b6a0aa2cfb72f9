// What callers ask for, read from JSON bodies and checked as far as that needs nothing but the text.
//
// Reading is lenient where the reference is: unknown fields are ignored, names match without regard to case, null is
// omitted, only the first value counts; strict elsewhere: a number that does not fit is refused. Checks come in the order
// of contract control-plane.md 5.2, so that a body with several faults is refused for the same one everywhere. What needs
// the fleet (pin, seed, duplicate) is asked in between through CreateFacts.
//
// Threads  plain values, pure functions.
// Errors   ApiErrorDetail (api_error.h): 400 invalid_argument, 404 for a pin, 413 for files.
// Contract control-plane.md 1.3, 5.2, 5.4, 9.2, 9.3, 10.2, 11.3, 18; section 26
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "host/api/egress.h"
#include "host/api/process.h"
#include "host/api/provider.h"

namespace fusebox::fleet {

using StringMap = std::map<std::string, std::string>;

struct EnvironmentSpec {
  std::int64_t cpus = 0, ram_mb = 0, storage_gb = 0;  // as asked, 0 = default
  std::string region, arch;                           // arch normalised: amd64, arm64
  std::int64_t max_runtime_seconds = 0, idle_timeout_seconds = 0;
  std::string image;
  std::int64_t gpus = 0;
  std::string gpu_kind, gpu_profile;  // profile in lower case
  std::string host_id;
  StringMap labels;
  std::string backend;
  std::optional<host::Egress> egress;
  bool huge_pages = false;
};
// The spec as the API echoes it (5.1), one JSON object; what read_spec() reads back.
std::string write_spec(const EnvironmentSpec& spec);
base::Result<EnvironmentSpec> read_spec(std::string_view json);

struct StartupStep {
  std::string run, name, key;
  std::int64_t timeout_seconds = 0;
};
struct GuestFile {
  std::string path, bytes;
  std::uint32_t mode = 0644;
};
struct AgentBlock {
  std::string binary_path, download_url, download_sha256, listen, extra_args, drain_command;
};

struct CreateRequest {
  std::string task_id;
  EnvironmentSpec spec;
  std::string manifest;  // JSON text, the default where none was given
  StringMap secrets;
  std::string startup_script;
  std::vector<StartupStep> startup_steps;
  std::int64_t startup_script_timeout_seconds = 0;
  std::string gateway_url, gateway_token;
  std::vector<host::ExposePort> expose;
  std::string healthcheck_json;  // as received, "" = none
  std::int64_t desktop_width = 0, desktop_height = 0;
  std::string desktop_wm;
  std::vector<GuestFile> files;  // sorted by path
  std::string seed_snapshot_id;
  AgentBlock agent;
  bool rerun_script_on_reboot = false;
  bool has_script() const noexcept { return !startup_script.empty() || !startup_steps.empty(); }
};
// What of the fleet the checks ask in their order.
struct CreateFacts {
  std::function<bool(std::string_view host_id)> host_exists;
  std::int64_t script_timeout_max_seconds = 55;
};
base::Result<CreateRequest> read_create(std::string_view body, const CreateFacts& facts);
// The same request as JSON, for the sealed boot material; read_create(write_create(r)) gives r again, without checks that
// ask the fleet.
std::string write_create(const CreateRequest& request);
base::Result<CreateRequest> read_stored_create(std::string_view json);
// Only the spec, for POST /v1/hosts?action=explain: body {"spec":{...}}.
base::Result<CreateRequest> read_explain(std::string_view body);

struct ForkRequest {
  std::string reuse_snapshot_id, comment, task_id;
  bool live = false;
};
base::Result<ForkRequest> read_fork(std::string_view body);  // an empty body is {}

struct ForkSnapshotRequest {
  std::string task_id, comment;
  std::optional<EnvironmentSpec> spec;  // overrides: fields that are set
};
base::Result<ForkSnapshotRequest> read_fork_snapshot(std::string_view body);

struct MigrateRequest {
  std::string target_host_id;
  bool live = false, lazy = false;
};
base::Result<MigrateRequest> read_migrate(std::string_view body);

struct ExecRequest {
  host::ProcessSpec process;  // argv from cmd or shell, timeout in bounds
  bool base64 = false;
};
base::Result<ExecRequest> read_exec(std::string_view body);

struct SnapshotRequest {
  std::string comment, mode = "manual", export_ref, export_status, layer_key;
  std::int64_t retention_seconds = 0;
  StringMap metadata;
  bool live = false;
};
base::Result<SnapshotRequest> read_snapshot(std::string_view body);

struct HostRequest {
  std::string id, url, token, region, backend = "firecracker";
  StringMap labels;
  std::int64_t cpus = 0, ram_mb = 0, storage_gb = 0, vm_count = 0, gpus = 0;
  std::string arch, gpu_kind;
  std::map<std::string, std::int64_t> mig_profiles;
  std::string ca_pem, fingerprint_sha256, client_cert_pem, client_key_pem;
};
base::Result<HostRequest> read_host(std::string_view body);

struct HeartbeatRequest {
  std::string agent_version;
  std::vector<std::string> features;
  std::optional<host::Capacity> capacity;
  std::optional<std::vector<host::VmRecord>> vms;
};
base::Result<HeartbeatRequest> read_heartbeat(std::string_view body);

struct DrainHostRequest {
  bool evict = false;
  std::int64_t timeout_seconds = 600;
};
base::Result<DrainHostRequest> read_drain_host(std::string_view body);

struct ApiKeyRequest {
  std::string label, tenant_id;
  std::optional<std::vector<std::string>> scopes;
  std::int64_t expires_in_seconds = 0;
};
base::Result<ApiKeyRequest> read_api_key(std::string_view body);

base::Result<StringMap> read_secrets(std::string_view body, std::string_view manifest);  // 17.4
base::Result<std::string> read_login(std::string_view body);                             // the token
base::Result<void> check_computer(std::string_view body);                                // 5.7
// Every {secret} reference of the manifest is among these (1.5: `secrets validation failed: ...`).
base::Result<void> check_secrets(std::string_view manifest, const StringMap& secrets);

}  // namespace fusebox::fleet
