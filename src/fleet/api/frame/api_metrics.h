// What the API counts of its own work: handles into the registry, looked up once.
//
// Owner    the registry outlives it.
// Threads  any; a series locks at its first use alone.
// Contract control-plane.md 19
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "fleet/api/events/frame.h"
#include "fleet/api/routes.h"
#include "fleet/metrics/registry.h"

namespace fusebox::fleet {

class ApiMetrics {
 public:
  explicit ApiMetrics(Registry& registry);

  void begin() noexcept { in_flight_.add(1); }
  // `route`: null = none matched; `pattern`: of its path, "" = unknown.
  void end(const RouteSpec* route, std::string_view pattern, std::string_view method, int status, base::Nanos duration);
  void auth_failure(std::string_view reason) { registry_.counter(Metric::auth_failures, {reason}).add(); }
  void event_sent(EventKind kind);
  // A command that ended; `backend`: of its environment.
  void exec_ended(std::string_view backend, base::Nanos duration) {
    registry_.histogram(Metric::exec_duration, {backend}).observe(std::chrono::duration<double>(duration).count());
  }
  void subscribers(std::size_t count) {
    registry_.gauge(Metric::sse_subscribers).set(static_cast<std::int64_t>(count));
  }
  std::string text() const;  // of the whole registry and the process

 private:
  // The statuses a known route answers with; others are looked up each time.
  static constexpr std::array<int, 20> kCodes = {101, 200, 201, 202, 204, 400, 401, 403, 404, 405,
                                                 408, 409, 413, 429, 500, 501, 502, 503, 504, 507};
  struct Line {  // one route
    std::array<std::atomic<Counter*>, kCodes.size()> codes{};
    std::atomic<Histogram*> duration{nullptr};
  };
  Registry& registry_;
  Gauge& in_flight_;
  std::vector<Line> lines_;  // by RouteId
  std::array<std::atomic<Counter*>, 6> events_{};
};

}  // namespace fusebox::fleet
