// What the engine counts and times. The server gives one that keeps them for /metrics.
//
// Threads  the engine's executor.
// Contract control-plane.md section 19
#pragma once

#include <cstdint>
#include <string_view>

namespace fusebox::fleet {

class EngineMeters {
 public:
  virtual ~EngineMeters() = default;
  virtual void boot_phase(std::string_view /*backend*/, std::string_view /*outcome*/, std::string_view /*phase*/,
                          double /*seconds*/) {}
  virtual void operation_running(std::string_view /*kind*/, int /*by*/) {}  // +1 and -1
  virtual void operation_ended(std::string_view /*kind*/, std::string_view /*outcome*/) {}
  virtual void takeover(std::string_view /*kind*/) {}
  virtual void fence_rejected(std::string_view /*kind*/) {}
  virtual void snapshot_done(std::string_view /*op*/, std::string_view /*backend*/, double /*seconds*/) {}
  virtual void agent_request(std::string_view /*host*/, std::string_view /*op*/, int /*code*/, double /*seconds*/) {}
  virtual void secrets_persistent() {}

  enum class Count : std::uint8_t {
    orphans_destroyed,
    orphans_failed,
    orphans_dead_lettered,
    stuck_suspected,
    stuck_failed,
    idle_suspected,
    idle_failed,
    vms_missing,
    cycles,
    drift_corrected,
  };
  virtual void count(Count /*what*/, std::uint64_t /*by*/ = 1) {}
  virtual void reconcile_took(double /*seconds*/) {}
  virtual void host_failed(std::string_view /*host*/) {}
  virtual void host_state(std::string_view /*host*/, bool /*reachable*/) {}
  virtual void host_gone(std::string_view /*host*/) {}
  virtual void fleet(std::uint64_t /*tracked*/, std::uint64_t /*listed*/) {}
  virtual void health(std::uint64_t /*checked*/, std::uint64_t /*failing*/) {}
  virtual void leader(bool /*is*/) {}
  virtual void host_room(std::string_view /*host*/, std::string_view /*resource*/, std::int64_t /*capacity*/,
                         std::int64_t /*allocated*/) {}
  // What a host ("" = this process) keeps of snapshots, and what of that nobody can name any more.
  virtual void snapshots(std::string_view /*host*/, std::uint64_t /*count*/, std::uint64_t /*bytes*/,
                         std::uint64_t /*leaked_bytes*/) {}
  virtual void environments(std::string_view /*state*/, std::string_view /*backend*/, std::uint64_t /*count*/) {}
};

}  // namespace fusebox::fleet
