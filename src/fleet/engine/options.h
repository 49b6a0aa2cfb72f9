// What the engine is set up with; values of contract control-plane.md section 20 that it heeds.
//
// Threads  plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fusebox::fleet {

struct EngineOptions {
  std::string vm_prefix = "fuse-";
  std::string replica_id;
  std::string version;  // of this program, for the list of replicas
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

}  // namespace fusebox::fleet
