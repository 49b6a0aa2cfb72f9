#include "fleet/metrics/engine_meters.h"

#include <string>

namespace fusebox::fleet {
namespace {

Metric metric_of(EngineMeters::Count what) noexcept {
  using Count = EngineMeters::Count;
  switch (what) {
    case Count::orphans_destroyed:
      return Metric::orphans_destroyed;
    case Count::orphans_failed:
      return Metric::orphans_failed;
    case Count::orphans_dead_lettered:
      return Metric::orphans_dead_lettered;
    case Count::stuck_suspected:
      return Metric::stuck_tasks_suspected;
    case Count::stuck_failed:
      return Metric::stuck_tasks_failed;
    case Count::idle_suspected:
      return Metric::idle_vms_suspected;
    case Count::idle_failed:
      return Metric::idle_vms_failed;
    case Count::vms_missing:
      return Metric::vms_missing_provider;
    case Count::drift_corrected:
      return Metric::allocations_corrected;
    case Count::cycles:
      break;
  }
  return Metric::reconcile_cycles;
}

constexpr Metric kAlwaysShown[] = {
    Metric::orphans_destroyed,     Metric::orphans_failed,       Metric::orphans_dead_lettered,
    Metric::stuck_tasks_suspected, Metric::stuck_tasks_failed,   Metric::idle_vms_suspected,
    Metric::idle_vms_failed,       Metric::vms_missing_provider, Metric::reconcile_cycles,
    Metric::allocations_corrected, Metric::secrets_persistent,
};

}  // namespace

RegistryMeters::RegistryMeters(Registry& registry) : registry_(registry) {
  for (const Metric metric : kAlwaysShown) registry_.counter(metric);  // 0 is a value, absence is not
  for (const Metric metric : {Metric::fleet_tracked_vms, Metric::fleet_provider_vms, Metric::health_checked_vms,
                              Metric::health_failing_vms, Metric::leader})
    registry_.gauge(metric);
  registry_.histogram(Metric::reconcile_duration);
}

void RegistryMeters::boot_phase(std::string_view backend, std::string_view outcome, std::string_view phase,
                                double seconds) {
  registry_.histogram(Metric::boot_duration, {backend, outcome, phase}).observe(seconds);
  if (phase == "schedule") registry_.histogram(Metric::scheduling_duration).observe(seconds);
}
void RegistryMeters::operation_running(std::string_view kind, int by) {
  registry_.gauge(Metric::operations_running, {kind}).add(by);
}
void RegistryMeters::operation_ended(std::string_view kind, std::string_view outcome) {
  registry_.counter(Metric::operations, {kind, outcome}).add();
}
void RegistryMeters::takeover(std::string_view kind) {
  registry_.counter(Metric::operation_takeovers, {kind}).add();
}
void RegistryMeters::fence_rejected(std::string_view kind) {
  registry_.counter(Metric::fence_rejections, {kind}).add();
}
void RegistryMeters::snapshot_done(std::string_view op, std::string_view backend, double seconds) {
  registry_.histogram(Metric::snapshot_duration, {op, backend}).observe(seconds);
}
void RegistryMeters::agent_request(std::string_view host, std::string_view op, int code, double seconds) {
  registry_.counter(Metric::agent_requests, {host, op, std::to_string(code)}).add();
  registry_.histogram(Metric::agent_request_duration, {host, op, std::to_string(code)}).observe(seconds);
}
void RegistryMeters::secrets_persistent() {
  registry_.counter(Metric::secrets_persistent).add();
}
void RegistryMeters::count(Count what, std::uint64_t by) {
  registry_.counter(metric_of(what)).add(by);
}
void RegistryMeters::reconcile_took(double seconds) {
  registry_.histogram(Metric::reconcile_duration).observe(seconds);
}
void RegistryMeters::host_failed(std::string_view host) {
  registry_.counter(Metric::reconcile_host_failures, {host}).add();
}
void RegistryMeters::host_state(std::string_view host, bool reachable) {
  registry_.gauge(Metric::host_reachable, {host}).set(reachable ? 1 : 0);
}
void RegistryMeters::host_gone(std::string_view host) {
  for (const Metric metric : {Metric::host_reachable, Metric::host_capacity, Metric::host_allocated,
                              Metric::reconcile_host_failures, Metric::agent_requests, Metric::agent_request_duration,
                              Metric::snapshots, Metric::snapshot_bytes, Metric::snapshot_leaked_bytes})
    registry_.hide(metric, host);
}
void RegistryMeters::fleet(std::uint64_t tracked, std::uint64_t listed) {
  registry_.gauge(Metric::fleet_tracked_vms).set(static_cast<std::int64_t>(tracked));
  registry_.gauge(Metric::fleet_provider_vms).set(static_cast<std::int64_t>(listed));
}
void RegistryMeters::health(std::uint64_t checked, std::uint64_t failing) {
  registry_.gauge(Metric::health_checked_vms).set(static_cast<std::int64_t>(checked));
  registry_.gauge(Metric::health_failing_vms).set(static_cast<std::int64_t>(failing));
}
void RegistryMeters::leader(bool is) {
  registry_.gauge(Metric::leader).set(is ? 1 : 0);
}
void RegistryMeters::host_room(std::string_view host, std::string_view resource, std::int64_t capacity,
                               std::int64_t allocated) {
  registry_.gauge(Metric::host_capacity, {host, resource}).set(capacity);
  registry_.gauge(Metric::host_allocated, {host, resource}).set(allocated);
}
void RegistryMeters::snapshots(std::string_view host, std::uint64_t count, std::uint64_t bytes,
                               std::uint64_t leaked_bytes) {
  registry_.gauge(Metric::snapshots, {host}).set(static_cast<std::int64_t>(count));
  registry_.gauge(Metric::snapshot_bytes, {host}).set(static_cast<std::int64_t>(bytes));
  registry_.gauge(Metric::snapshot_leaked_bytes, {host}).set(static_cast<std::int64_t>(leaked_bytes));
}
void RegistryMeters::environments(std::string_view state, std::string_view backend, std::uint64_t count) {
  registry_.gauge(Metric::environments, {state, backend}).set(static_cast<std::int64_t>(count));
}

}  // namespace fusebox::fleet
