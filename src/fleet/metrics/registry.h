// Counters, gauges and histograms, and their text for Prometheus (format 0.0.4).
//
// A series is looked up once, under a lock; its handle then counts without one.
//
// Owner    the Registry owns every series until its own end; handles are references into it.
// Threads  any thread.
// Limits   kSeriesMax series of one metric; what would be more goes to one whose labels all say `other`.
// Contract control-plane.md section 19
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/metrics/metric_table.h"

namespace fusebox::fleet {

class Counter {
 public:
  void add(std::uint64_t by = 1) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t by) noexcept { value_.fetch_add(by, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds), counts_(bounds.size() + 1) {}
  void observe(double value) noexcept;
  std::span<const double> bounds() const noexcept { return bounds_; }
  // Of values at or below bounds()[i] and above the one before; the last: above all.
  std::uint64_t count(std::size_t i) const noexcept { return counts_[i].load(std::memory_order_relaxed); }
  double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }

 private:
  std::span<const double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

class Registry {
 public:
  static constexpr std::size_t kSeriesMax = 20'000;  // 5,000 hosts with a few operations each

  Registry();
  // Label values in the order of the table. The kind and the number of labels must be the metric's (asserted).
  Counter& counter(Metric metric, std::initializer_list<std::string_view> labels = {});
  Gauge& gauge(Metric metric, std::initializer_list<std::string_view> labels = {});
  Histogram& histogram(Metric metric, std::initializer_list<std::string_view> labels = {});
  // No longer shown, until asked for again: every series whose first label has this value (a host that is gone).
  void hide(Metric metric, std::string_view first_label);

  std::string text() const;

 private:
  using Labels = std::vector<std::string>;
  struct Series {
    bool hidden = false;  // guarded by the family's mutex
    Counter counter;
    Gauge gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    mutable std::mutex mutex;
    std::map<Labels, std::unique_ptr<Series>> series;  // guarded by mutex
  };
  Series& series(Metric metric, MetricKind kind, std::initializer_list<std::string_view> labels);
  std::vector<Family> families_;
};

}  // namespace fusebox::fleet
