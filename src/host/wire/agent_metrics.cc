#include "host/wire/agent_metrics.h"

#include <cstdio>

namespace fusebox::host {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

void type(std::string& out, std::string_view name, std::string_view kind) {
  out.append("# TYPE ").append(name).append(" ").append(kind).append("\n");
}

void line(std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(value).append("\n");
}

std::string label(std::string_view key, std::string_view value) {
  std::string text(key);
  text += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    text += c == '\n' ? ' ' : c;
  }
  return text + "\"";
}

}  // namespace

void Histogram::add(base::Nanos span) {
  const double seconds = std::chrono::duration<double>(span).count();
  ++count_;
  sum_s_ += seconds;
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    if (seconds <= kBounds[i]) ++counts_[i];
}

void Histogram::write(std::string& out, std::string_view name, std::string_view labels) const {
  const std::string bucket = std::string(name) + "_bucket";
  const std::string before = labels.empty() ? std::string() : std::string(labels) + ",";
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    line(out, bucket, before + label("le", number(kBounds[i])), std::to_string(counts_[i]));
  line(out, bucket, before + label("le", "+Inf"), std::to_string(count_));
  line(out, std::string(name) + "_sum", labels, number(sum_s_));
  line(out, std::string(name) + "_count", labels, std::to_string(count_));
}

void AgentMetrics::request(std::string_view route, int code, base::Nanos span) {
  ++requests_[{std::string(route), code}];
  request_seconds_[std::string(route)].add(span);
}

void AgentMetrics::boot(std::string_view backend, base::Nanos span) {
  boot_seconds_[std::string(backend)].add(span);
}

void AgentMetrics::exec(base::Nanos span) {
  exec_seconds_.add(span);
}

void AgentMetrics::snapshot(std::string_view kind, std::string_view op, base::Nanos span, std::uint64_t bytes) {
  snapshot_seconds_[{std::string(kind), std::string(op)}].add(span);
  snapshot_bytes_ += bytes;
}

void AgentMetrics::transfer(bool sent, std::uint64_t bytes) {
  (sent ? sent_bytes_ : received_bytes_) += bytes;
}

std::string AgentMetrics::text(const Present& present) const {
  std::string out;
  type(out, "fusebox_host_vms", "gauge");
  for (const auto& [state, count] : present.vms_by_state)
    line(out, "fusebox_host_vms", label("state", state) + "," + label("backend", present.backend),
         std::to_string(count));
  type(out, "fusebox_host_boot_seconds", "histogram");
  for (const auto& [backend, seconds] : boot_seconds_)
    seconds.write(out, "fusebox_host_boot_seconds", label("backend", backend) + "," + label("phase", "create"));
  type(out, "fusebox_host_exec_seconds", "histogram");
  exec_seconds_.write(out, "fusebox_host_exec_seconds", {});
  type(out, "fusebox_host_snapshot_seconds", "histogram");
  for (const auto& [key, seconds] : snapshot_seconds_)
    seconds.write(out, "fusebox_host_snapshot_seconds", label("kind", key.first) + "," + label("op", key.second));
  type(out, "fusebox_host_snapshot_bytes", "counter");
  line(out, "fusebox_host_snapshot_bytes", {}, std::to_string(snapshot_bytes_));
  type(out, "fusebox_host_requests_total", "counter");
  for (const auto& [key, count] : requests_)
    line(out, "fusebox_host_requests_total",
         label("route", key.first) + "," + label("code", std::to_string(key.second)), std::to_string(count));
  type(out, "fusebox_host_request_seconds", "histogram");
  for (const auto& [route, seconds] : request_seconds_)
    seconds.write(out, "fusebox_host_request_seconds", label("route", route));
  type(out, "fusebox_host_transfer_bytes_total", "counter");
  line(out, "fusebox_host_transfer_bytes_total", label("direction", "out"), std::to_string(sent_bytes_));
  line(out, "fusebox_host_transfer_bytes_total", label("direction", "in"), std::to_string(received_bytes_));
  if (present.disk_free_bytes) {
    type(out, "fusebox_host_disk_free_bytes", "gauge");
    line(out, "fusebox_host_disk_free_bytes", {}, std::to_string(*present.disk_free_bytes));
  }
  type(out, "fusebox_host_vm_cpu_seconds_total", "counter");
  for (const auto& [vm, stats] : present.vms)
    line(out, "fusebox_host_vm_cpu_seconds_total", label("vm", vm), number(static_cast<double>(stats.cpu_us) / 1e6));
  type(out, "fusebox_host_vm_memory_bytes", "gauge");
  for (const auto& [vm, stats] : present.vms)
    line(out, "fusebox_host_vm_memory_bytes", label("vm", vm), std::to_string(stats.memory_bytes));
  type(out, "fusebox_host_stale_generation_total", "counter");
  line(out, "fusebox_host_stale_generation_total", {}, std::to_string(stale_));
  return out;
}

}  // namespace fusebox::host
