#include "fleet/metrics/metric_table.h"

#include <algorithm>
#include <array>

namespace fusebox::fleet {
namespace {

constexpr double kRequestBuckets[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
constexpr double kBootBuckets[] = {.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60};
constexpr double kFastBuckets[] = {.00001, .00005, .0001, .0005, .001, .005, .01, .05, .1, .5, 1};

constexpr std::array<std::string_view, 3> kRoute = {"route", "method", "code"};
constexpr std::array<std::string_view, 2> kRouteOnly = {"route", "method"};
constexpr std::array<std::string_view, 1> kHost = {"host"};
constexpr std::array<std::string_view, 2> kHostResource = {"host", "resource"};
constexpr std::array<std::string_view, 3> kBoot = {"backend", "outcome", "phase"};
constexpr std::array<std::string_view, 2> kStateBackend = {"state", "backend"};
constexpr std::array<std::string_view, 2> kKindOutcome = {"kind", "outcome"};
constexpr std::array<std::string_view, 1> kKind = {"kind"};
constexpr std::array<std::string_view, 2> kOpBackend = {"op", "backend"};
constexpr std::array<std::string_view, 3> kHostOpCode = {"host", "op", "code"};
constexpr std::array<std::string_view, 1> kReason = {"reason"};
constexpr std::array<std::string_view, 1> kQuery = {"query"};
constexpr std::array<std::string_view, 1> kClass = {"class"};
constexpr std::array<std::string_view, 1> kBackend = {"backend"};

constexpr auto kCounter = MetricKind::counter;
constexpr auto kGauge = MetricKind::gauge;
constexpr auto kHistogram = MetricKind::histogram;

#define FB_METRIC_PREFIX "orchestrator_"
constexpr MetricSpec kTable[] = {
    {Metric::reconcile_duration,
     kHistogram,
     FB_METRIC_PREFIX "reconcile_duration_seconds",
     "Time of a reconcile tick.",
     {},
     kRequestBuckets},
    {Metric::reconcile_cycles,
     kCounter,
     FB_METRIC_PREFIX "reconcile_cycles_total",
     "Finished reconcile ticks.",
     {},
     {}},
    {Metric::fleet_tracked_vms, kGauge, FB_METRIC_PREFIX "fleet_tracked_vms", "Environments in the store.", {}, {}},
    {Metric::fleet_provider_vms, kGauge, FB_METRIC_PREFIX "fleet_provider_vms", "VMs the hosts listed.", {}, {}},
    {Metric::orphans_destroyed,
     kCounter,
     FB_METRIC_PREFIX "reconcile_orphans_destroyed_total",
     "Orphans destroyed.",
     {},
     {}},
    {Metric::orphans_failed,
     kCounter,
     FB_METRIC_PREFIX "reconcile_orphans_failed_total",
     "Orphans that could not be destroyed.",
     {},
     {}},
    {Metric::orphans_dead_lettered,
     kCounter,
     FB_METRIC_PREFIX "reconcile_orphans_dead_lettered_total",
     "Orphans given up on.",
     {},
     {}},
    {Metric::stuck_tasks_suspected,
     kCounter,
     FB_METRIC_PREFIX "reconcile_stuck_tasks_suspected_total",
     "Tasks past their ceiling once.",
     {},
     {}},
    {Metric::stuck_tasks_failed,
     kCounter,
     FB_METRIC_PREFIX "reconcile_stuck_tasks_failed_total",
     "Tasks failed for their ceiling.",
     {},
     {}},
    {Metric::idle_vms_suspected,
     kCounter,
     FB_METRIC_PREFIX "reconcile_idle_vms_suspected_total",
     "Environments idle once.",
     {},
     {}},
    {Metric::idle_vms_failed,
     kCounter,
     FB_METRIC_PREFIX "reconcile_idle_vms_failed_total",
     "Environments destroyed for idling.",
     {},
     {}},
    {Metric::vms_missing_provider,
     kCounter,
     FB_METRIC_PREFIX "reconcile_vms_missing_provider_total",
     "Environments their host no longer has.",
     {},
     {}},
    {Metric::allocations_corrected,
     kCounter,
     FB_METRIC_PREFIX "reconcile_allocations_corrected_total",
     "Hosts whose allocations were not the sums of their environments.",
     {},
     {}},
    {Metric::health_checked_vms,
     kGauge,
     FB_METRIC_PREFIX "reconcile_health_checked_vms",
     "Environments with a health check.",
     {},
     {}},
    {Metric::health_failing_vms,
     kGauge,
     FB_METRIC_PREFIX "reconcile_health_failing_vms",
     "Environments whose health check fails.",
     {},
     {}},
    {Metric::http_requests, kCounter, FB_METRIC_PREFIX "http_requests_total", "Requests answered.", kRoute, {}},
    {Metric::http_request_duration, kHistogram, FB_METRIC_PREFIX "http_request_duration_seconds",
     "Time to answer a request.", kRouteOnly, kRequestBuckets},
    {Metric::http_requests_in_flight,
     kGauge,
     FB_METRIC_PREFIX "http_requests_in_flight",
     "Requests being answered.",
     {},
     {}},
    {Metric::reconcile_host_failures,
     kCounter,
     FB_METRIC_PREFIX "reconcile_host_failures_total",
     "Host lists that failed.",
     kHost,
     {}},
    {Metric::host_reachable, kGauge, FB_METRIC_PREFIX "host_reachable", "1 when the host answers.", kHost, {}},
    {Metric::host_capacity, kGauge, FB_METRIC_PREFIX "host_capacity", "What the host has.", kHostResource, {}},
    {Metric::host_allocated,
     kGauge,
     FB_METRIC_PREFIX "host_allocated",
     "What environments hold of it.",
     kHostResource,
     {}},
    {Metric::boot_duration, kHistogram, FB_METRIC_PREFIX "boot_duration_seconds", "Time of a phase of a boot.", kBoot,
     kBootBuckets},
    {Metric::environments, kGauge, FB_METRIC_PREFIX "environments", "Environments by state.", kStateBackend, {}},
    {Metric::operations, kCounter, FB_METRIC_PREFIX "operations_total", "Operations that ended.", kKindOutcome, {}},
    {Metric::operations_running, kGauge, FB_METRIC_PREFIX "operations_running", "Operations under way.", kKind, {}},
    {Metric::operation_takeovers,
     kCounter,
     FB_METRIC_PREFIX "operation_takeovers_total",
     "Operations taken over from a replica that ended.",
     kKind,
     {}},
    {Metric::fence_rejections,
     kCounter,
     FB_METRIC_PREFIX "fence_rejections_total",
     "Writes whose generation had moved.",
     kKind,
     {}},
    {Metric::snapshot_duration, kHistogram, FB_METRIC_PREFIX "snapshot_duration_seconds", "Time of snapshot work.",
     kOpBackend, kBootBuckets},
    {Metric::snapshots, kGauge, FB_METRIC_PREFIX "snapshots", "Snapshots on a host.", kHost, {}},
    {Metric::snapshot_bytes, kGauge, FB_METRIC_PREFIX "snapshot_bytes", "Bytes of snapshots on a host.", kHost, {}},
    {Metric::snapshot_leaked_bytes,
     kGauge,
     FB_METRIC_PREFIX "snapshot_leaked_bytes",
     "Bytes of snapshots a host cannot delete.",
     kHost,
     {}},
    {Metric::agent_requests,
     kCounter,
     FB_METRIC_PREFIX "agent_requests_total",
     "Calls to host agents.",
     kHostOpCode,
     {}},
    {Metric::agent_request_duration, kHistogram, FB_METRIC_PREFIX "agent_request_duration_seconds",
     "Time of calls to host agents.", kHostOpCode, kBootBuckets},
    {Metric::auth_failures, kCounter, FB_METRIC_PREFIX "auth_failures_total", "Refused credentials.", kReason, {}},
    {Metric::sse_subscribers, kGauge, FB_METRIC_PREFIX "sse_subscribers", "Open event streams.", {}, {}},
    {Metric::sse_events, kCounter, FB_METRIC_PREFIX "sse_events_total", "Event frames sent.", kKind, {}},
    {Metric::store_query_duration, kHistogram, FB_METRIC_PREFIX "store_query_duration_seconds",
     "Time of a store query.", kQuery, kFastBuckets},
    {Metric::store_errors, kCounter, FB_METRIC_PREFIX "store_errors_total", "Store failures.", kClass, {}},
    {Metric::leader, kGauge, FB_METRIC_PREFIX "leader", "1 on the leader.", {}, {}},
    {Metric::secrets_persistent,
     kCounter,
     FB_METRIC_PREFIX "secrets_persistent_total",
     "Guests booted without a tmpfs for secrets.",
     {},
     {}},
    {Metric::exec_duration, kHistogram, FB_METRIC_PREFIX "exec_duration_seconds", "Time of exec calls.", kBackend,
     kRequestBuckets},
    {Metric::scheduling_duration,
     kHistogram,
     FB_METRIC_PREFIX "scheduling_duration_seconds",
     "Time of a placement decision.",
     {},
     kFastBuckets},
};
#undef FB_METRIC_PREFIX

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<std::size_t>(kTable[i].metric) != i) return false;
  }
  return std::size(kTable) == static_cast<std::size_t>(Metric::scheduling_duration) + 1;
}
static_assert(in_order(), "the table is looked up by position");

}  // namespace

std::span<const MetricSpec> metric_table() noexcept {
  return kTable;
}

std::string_view metric_method(std::string_view method) noexcept {
  constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  const auto* const found = std::ranges::find(kMethods, method);
  return found == std::end(kMethods) ? "other" : *found;
}

}  // namespace fusebox::fleet
