// Every metric of the control plane, once: name, kind, labels, buckets.
//
// Contract control-plane.md section 19
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fusebox::fleet {

enum class Metric : std::uint8_t {
  reconcile_duration,
  reconcile_cycles,
  fleet_tracked_vms,
  fleet_provider_vms,
  orphans_destroyed,
  orphans_failed,
  orphans_dead_lettered,
  stuck_tasks_suspected,
  stuck_tasks_failed,
  idle_vms_suspected,
  idle_vms_failed,
  vms_missing_provider,
  allocations_corrected,
  health_checked_vms,
  health_failing_vms,
  http_requests,
  http_request_duration,
  http_requests_in_flight,
  reconcile_host_failures,
  host_reachable,
  host_capacity,
  host_allocated,
  boot_duration,
  environments,
  operations,
  operations_running,
  operation_takeovers,
  fence_rejections,
  snapshot_duration,
  snapshots,
  snapshot_bytes,
  snapshot_leaked_bytes,
  agent_requests,
  agent_request_duration,
  auth_failures,
  sse_subscribers,
  sse_events,
  store_query_duration,
  store_errors,
  leader,
  secrets_persistent,
  exec_duration,
  scheduling_duration,
};

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

struct MetricSpec {
  Metric metric;
  MetricKind kind;
  std::string_view name;
  std::string_view help;
  std::span<const std::string_view> labels;
  std::span<const double> buckets;  // histograms: upper bounds, ascending
};
std::span<const MetricSpec> metric_table() noexcept;  // by position of the enum

// The known methods; `other` for the rest, so that a client cannot make series.
std::string_view metric_method(std::string_view method) noexcept;

}  // namespace fusebox::fleet
