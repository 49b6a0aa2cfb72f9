// What the engine is set up with; values of contract control-plane.md section 20 that it heeds.
//
// Threads  plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/api/provider.h"

namespace fusebox::fleet {

struct EngineOptions {
  std::string vm_prefix = "fuse-";
  std::string replica_id;
  std::string fleet_id;
  std::string default_backend;  // ORCH_DEFAULT_BACKEND, "" = by rule
  std::string placement_policy = "spread";
  std::string guest_tmpfs = "auto";  // auto, require, off
  std::string agent_download_url;
  std::chrono::nanoseconds startup_script_timeout{std::chrono::seconds{30}};
  std::chrono::nanoseconds startup_script_timeout_max{std::chrono::seconds{55}};
  std::chrono::nanoseconds pull_timeout{0};  // 0 = 1830 s
  std::chrono::nanoseconds artifact_idle_ttl{0};
  std::int64_t artifact_max_per_tenant = 0;
  std::chrono::nanoseconds reconcile_interval{std::chrono::seconds{30}};
  std::chrono::nanoseconds task_stuck_timeout{std::chrono::seconds{7200}};
  std::chrono::nanoseconds default_idle_timeout{0};
  std::chrono::nanoseconds orphan_grace{std::chrono::seconds{30}};
  std::int32_t orphan_retries = 5;
  bool keep_unknown_vms = false;  // ORCH_UNKNOWN_VM=keep
  std::chrono::nanoseconds host_suspect{std::chrono::seconds{30}};
  std::chrono::nanoseconds host_unreachable{std::chrono::seconds{90}};
  std::chrono::nanoseconds host_poll{std::chrono::seconds{10}};
  std::chrono::nanoseconds operation_lease{std::chrono::seconds{30}};
  std::int64_t snapshot_retention_seconds = 0;
  std::int64_t snapshot_max_count = 0;
  std::int64_t snapshot_max_bytes = 0;
  std::int32_t event_retention_days = 30;
  std::int32_t sse_retention_hours = 24;
  std::int32_t max_inflight_creates = 64;
  std::string host_url_cidrs;
};

// Reaches hosts. A fleet knows of them only this.
class ProviderFactory {
 public:
  virtual ~ProviderFactory() = default;
  struct Remote {
    std::string url, token, backend;
    std::string ca_pem, fingerprint_sha256, client_cert_pem, client_key_pem;
    std::vector<std::string> features;  // as last told; updated by capacity()
    std::string agent_name, agent_version;
  };
  virtual std::unique_ptr<host::Provider> remote(const Remote& remote) = 0;
  // Providers of this process by backend ("wasm", "stub", or the agent of FIRECRACKER_BASE_URL as "firecracker"); null =
  // not here.
  virtual host::Provider* local(std::string_view backend) = 0;
  virtual std::vector<std::string> local_backends() const = 0;
  // GET of a guest agent (https, certificate pinned by `fingerprint`): the status of its answer.
  virtual base::Task<base::Result<int>> guest_get(std::string url, std::string path, std::string token,
                                                  std::string fingerprint, std::chrono::nanoseconds limit) = 0;
  // A grant for pulling an artifact from that host (host-agent.md 9.2), and the address another host reaches it at.
  struct Grant {
    std::string peer_url, grant;
  };
  virtual base::Result<Grant> grant(const Remote& holder, std::string_view digest) = 0;
};

}  // namespace fusebox::fleet
