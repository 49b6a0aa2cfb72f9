#include "fleet/api/frame/api_metrics.h"

#include <algorithm>
#include <bit>

#include "fleet/metrics/process.h"

namespace fusebox::fleet {

ApiMetrics::ApiMetrics(Registry& registry)
    : registry_(registry), in_flight_(registry.gauge(Metric::http_requests_in_flight)), lines_(route_table().size()) {}

void ApiMetrics::end(const RouteSpec* route, std::string_view pattern, std::string_view method, int status,
                     base::Nanos duration) {
  in_flight_.add(-1);
  const double seconds = std::chrono::duration<double>(duration).count();
  const std::string_view shown = pattern.empty() ? std::string_view("unknown") : pattern;
  const auto code = std::ranges::find(kCodes, status);
  if (route == nullptr || code == kCodes.end() || method != route->method) {
    const std::string_view known = metric_method(method);
    registry_.counter(Metric::http_requests, {shown, known, std::to_string(status)}).add();
    registry_.histogram(Metric::http_request_duration, {shown, known}).observe(seconds);
    return;
  }
  Line& line = lines_[static_cast<std::size_t>(route->id)];
  std::atomic<Counter*>& counter = line.codes[static_cast<std::size_t>(code - kCodes.begin())];
  Counter* counts = counter.load(std::memory_order_acquire);
  if (counts == nullptr) {
    counts = &registry_.counter(Metric::http_requests, {route->pattern, route->method, std::to_string(status)});
    counter.store(counts, std::memory_order_release);
  }
  counts->add();
  Histogram* times = line.duration.load(std::memory_order_acquire);
  if (times == nullptr) {
    times = &registry_.histogram(Metric::http_request_duration, {route->pattern, route->method});
    line.duration.store(times, std::memory_order_release);
  }
  times->observe(seconds);
}

void ApiMetrics::event_sent(EventKind kind) {
  const auto bit = static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(kind)));
  std::atomic<Counter*>& counter = events_[std::min<std::size_t>(bit, events_.size() - 1)];
  Counter* counts = counter.load(std::memory_order_acquire);
  if (counts == nullptr) {
    counts = &registry_.counter(Metric::sse_events, {to_string(kind)});
    counter.store(counts, std::memory_order_release);
  }
  counts->add();
}

std::string ApiMetrics::text() const {
  return registry_.text() + process_metrics(read_process_files());
}

}  // namespace fusebox::fleet
