#include "fleet/metrics/registry.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/fatal.h"

namespace fusebox::fleet {
namespace {

constexpr std::string_view kOther = "other";
constexpr std::size_t kLabelBytesMax = 256;

void append_number(std::string& out, double value) {
  std::array<char, 32> text{};
  const auto [end, failure] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') {
      out.append(1, '\\').append(1, c);
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

// `{a="x",le="0.5"}`, or nothing without labels.
std::string label_text(const MetricSpec& spec, const std::vector<std::string>& labels, std::string_view le = {}) {
  std::string out;
  const auto add = [&](std::string_view name, std::string_view value) {
    out.append(out.empty() ? "{" : ",").append(name).append("=\"");
    append_escaped(out, value);
    out += '"';
  };
  for (std::size_t i = 0; i < labels.size(); ++i) add(spec.labels[i], labels[i]);
  if (!le.empty()) add("le", le);
  return out.empty() ? out : out + "}";
}

std::string_view kind_text(MetricKind kind) noexcept {
  switch (kind) {
    case MetricKind::counter:
      return "counter";
    case MetricKind::gauge:
      return "gauge";
    case MetricKind::histogram:
      return "histogram";
  }
  return "";
}

void append_histogram(std::string& out, const MetricSpec& spec, const std::vector<std::string>& labels,
                      const Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
    total += histogram.count(i);
    std::string bound = "+Inf";
    if (i < histogram.bounds().size()) {
      bound.clear();
      append_number(bound, histogram.bounds()[i]);
    }
    out.append(spec.name).append("_bucket").append(label_text(spec, labels, bound)).append(" ");
    out.append(std::to_string(total)).append("\n");
  }
  out.append(spec.name).append("_sum").append(label_text(spec, labels)).append(" ");
  append_number(out, histogram.sum());
  out.append("\n").append(spec.name).append("_count").append(label_text(spec, labels)).append(" ");
  out.append(std::to_string(total)).append("\n");
}

}  // namespace

void Histogram::observe(double value) noexcept {
  const auto bound = std::ranges::lower_bound(bounds_, value);
  counts_[static_cast<std::size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Registry::Registry() : families_(metric_table().size()) {
  // What has no labels is shown from the start, at zero.
  for (const MetricSpec& spec : metric_table()) {
    if (spec.labels.empty()) series(spec.metric, spec.kind, {});
  }
}

Registry::Series& Registry::series(Metric metric, MetricKind kind, std::initializer_list<std::string_view> labels) {
  const MetricSpec& spec = metric_table()[static_cast<std::size_t>(metric)];
  if (spec.kind != kind || spec.labels.size() != labels.size()) {
    base::fatal("metric " + std::string(spec.name) + ": used with another kind or other labels");
  }
  Labels key;
  for (const std::string_view label : labels) key.push_back(base::to_utf8(label.substr(0, kLabelBytesMax)));
  Family& family = families_[static_cast<std::size_t>(metric)];
  const std::lock_guard lock(family.mutex);
  auto found = family.series.find(key);
  if (found == family.series.end()) {
    if (family.series.size() >= kSeriesMax) std::ranges::fill(key, std::string(kOther));
    found = family.series.try_emplace(key).first;
    if (found->second == nullptr) {
      found->second = std::make_unique<Series>();
      if (kind == MetricKind::histogram) found->second->histogram = std::make_unique<Histogram>(spec.buckets);
    }
  }
  found->second->hidden = false;
  return *found->second;
}

Counter& Registry::counter(Metric metric, std::initializer_list<std::string_view> labels) {
  return series(metric, MetricKind::counter, labels).counter;
}

Gauge& Registry::gauge(Metric metric, std::initializer_list<std::string_view> labels) {
  return series(metric, MetricKind::gauge, labels).gauge;
}

Histogram& Registry::histogram(Metric metric, std::initializer_list<std::string_view> labels) {
  return *series(metric, MetricKind::histogram, labels).histogram;
}

void Registry::hide(Metric metric, std::string_view first_label) {
  Family& family = families_[static_cast<std::size_t>(metric)];
  const std::lock_guard lock(family.mutex);
  for (auto& [labels, series] : family.series) {
    if (!labels.empty() && labels.front() == first_label) series->hidden = true;
  }
}

std::string Registry::text() const {
  std::string out;
  for (const MetricSpec& spec : metric_table()) {
    const Family& family = families_[static_cast<std::size_t>(spec.metric)];
    const std::lock_guard lock(family.mutex);
    const auto shown = [](const auto& entry) { return !entry.second->hidden; };
    if (std::ranges::none_of(family.series, shown)) continue;
    out.append("# HELP ").append(spec.name).append(" ").append(spec.help).append("\n");
    out.append("# TYPE ").append(spec.name).append(" ").append(kind_text(spec.kind)).append("\n");
    for (const auto& [labels, series] : family.series) {
      if (series->hidden) continue;
      if (spec.kind == MetricKind::histogram) {
        append_histogram(out, spec, labels, *series->histogram);
        continue;
      }
      const std::string value = spec.kind == MetricKind::counter ? std::to_string(series->counter.value())
                                                                 : std::to_string(series->gauge.value());
      out.append(spec.name).append(label_text(spec, labels)).append(" ").append(value).append("\n");
    }
  }
  return out;
}

}  // namespace fusebox::fleet
