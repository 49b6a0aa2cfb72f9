// What the engine counts, kept in the registry.
//
// Owner    the registry outlives it.
// Threads  as EngineMeters; the registry's own handles are for any.
// Contract control-plane.md 19
#pragma once

#include "fleet/engine/meters.h"
#include "fleet/metrics/registry.h"

namespace fusebox::fleet {

class RegistryMeters final : public EngineMeters {
 public:
  explicit RegistryMeters(Registry& registry);
  void boot_phase(std::string_view backend, std::string_view outcome, std::string_view phase, double seconds) override;
  void operation_running(std::string_view kind, int by) override;
  void operation_ended(std::string_view kind, std::string_view outcome) override;
  void takeover(std::string_view kind) override;
  void fence_rejected(std::string_view kind) override;
  void snapshot_done(std::string_view op, std::string_view backend, double seconds) override;
  void agent_request(std::string_view host, std::string_view op, int code, double seconds) override;
  void secrets_persistent() override;
  void count(Count what, std::uint64_t by) override;
  void reconcile_took(double seconds) override;
  void host_failed(std::string_view host) override;
  void host_state(std::string_view host, bool reachable) override;
  void host_gone(std::string_view host) override;
  void fleet(std::uint64_t tracked, std::uint64_t listed) override;
  void health(std::uint64_t checked, std::uint64_t failing) override;
  void leader(bool is) override;
  void host_room(std::string_view host, std::string_view resource, std::int64_t capacity,
                 std::int64_t allocated) override;
  void snapshots(std::string_view host, std::uint64_t count, std::uint64_t bytes, std::uint64_t leaked_bytes) override;
  void environments(std::string_view state, std::string_view backend, std::uint64_t count) override;

 private:
  Registry& registry_;
};

}  // namespace fusebox::fleet
