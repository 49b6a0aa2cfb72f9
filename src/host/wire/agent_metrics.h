// What an agent counts of itself, as Prometheus text.
//
// Threads  one executor.
// Limits   routes and codes are our own, so the number of lines is bounded.
// Contract host-agent.md 16
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "host/api/provider.h"

namespace fusebox::host {

class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,   0.25,   0.5,   1,    5,     30};  // seconds
  void add(base::Nanos span);
  // Lines of one series; `labels` without braces, "" = none.
  void write(std::string& out, std::string_view name, std::string_view labels) const;

 private:
  std::array<std::uint64_t, kBounds.size()> counts_{};
  std::uint64_t count_ = 0;
  double sum_s_ = 0;
};

class AgentMetrics {
 public:
  void request(std::string_view route, int code, base::Nanos span);
  void boot(std::string_view backend, base::Nanos span);
  void exec(base::Nanos span);
  void snapshot(std::string_view kind, std::string_view op, base::Nanos span, std::uint64_t bytes);
  void transfer(bool sent, std::uint64_t bytes);
  void stale_generation() { ++stale_; }

  // What is looked up when it is asked for.
  struct Present {
    std::string backend;
    std::map<std::string, std::uint64_t> vms_by_state;
    std::optional<std::uint64_t> disk_free_bytes;
    std::vector<std::pair<std::string, VmStats>> vms;
  };
  std::string text(const Present& present) const;

 private:
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::map<std::string, Histogram> request_seconds_;
  std::map<std::string, Histogram> boot_seconds_;
  Histogram exec_seconds_;
  std::map<std::pair<std::string, std::string>, Histogram> snapshot_seconds_;
  std::uint64_t snapshot_bytes_ = 0, sent_bytes_ = 0, received_bytes_ = 0, stale_ = 0;
};

}  // namespace fusebox::host
