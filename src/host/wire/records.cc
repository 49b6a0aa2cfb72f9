#include "host/wire/records.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/bytes.h"
#include "host/wire/limits.h"

namespace fusebox::host {
namespace {

using base::json::Kind;
using base::json::Node;
using base::json::Writer;

const Node* member(const Node& object, std::string_view key) noexcept {
  const Node* node = object.find(key);
  return node == nullptr || node->kind() == Kind::null ? nullptr : node;
}
std::string text_of(const Node& object, std::string_view key) {
  const Node* node = member(object, key);
  return node != nullptr && node->is_string() ? node->string() : std::string();
}
std::optional<std::int64_t> count_of(const Node& object, std::string_view key) {
  const Node* node = member(object, key);
  if (node == nullptr) return {};
  if (node->kind() == Kind::integer) return std::max<std::int64_t>(node->as_i64().value_or(0), 0);
  // Some agents divide on the way and send 15.5.
  if (node->kind() == Kind::number && node->number() >= 0 && node->number() < 9e15)
    return static_cast<std::int64_t>(node->number());
  return {};
}
std::uint64_t size_of(const Node& object, std::string_view key) {
  return static_cast<std::uint64_t>(count_of(object, key).value_or(0));
}
bool flag_of(const Node& object, std::string_view key) {
  const Node* node = member(object, key);
  return node != nullptr && node->kind() == Kind::boolean && node->boolean();
}
std::vector<std::string> texts_of(const Node& object, std::string_view key) {
  std::vector<std::string> texts;
  const Node* node = member(object, key);
  if (node == nullptr) return texts;
  for (const Node& element : node->elements())
    if (node->is_array() && element.is_string()) texts.push_back(element.string());
  return texts;
}
std::map<std::string, std::int64_t> counts_of(const Node& object, std::string_view key) {
  std::map<std::string, std::int64_t> counts;
  const Node* node = member(object, key);
  if (node == nullptr || !node->is_object()) return counts;
  for (const std::string& name : node->keys())
    if (const auto count = count_of(*node, name)) counts[name] = *count;
  return counts;
}
template <class Number>
Number clamped(std::int64_t value) {
  return static_cast<Number>(std::clamp<std::int64_t>(value, 0, std::numeric_limits<Number>::max()));
}

void put(Writer& out, std::string_view key, const std::string& text) {
  out.key(key).string(base::is_utf8(text) ? text : base::to_utf8(text));
}
void put_if(Writer& out, std::string_view key, const std::string& text) {
  if (!text.empty()) put(out, key, text);
}
void put_if(Writer& out, std::string_view key, const std::optional<std::int64_t>& count) {
  if (count) out.key(key).integer(*count);
}
void put_counts(Writer& out, std::string_view key, const std::map<std::string, std::int64_t>& counts) {
  out.key(key).begin_object();
  for (const auto& [name, count] : counts) out.key(base::to_utf8(name)).integer(count);
  out.end_object();
}

void write_gpu(Writer& out, const GpuDevice& gpu) {
  out.begin_object().key("index").unsigned_integer(gpu.index);
  put(out, "uuid", gpu.uuid);
  put(out, "model", gpu.model);
  put(out, "pci_bus_id", gpu.pci_bus_id);
  out.key("memory_mb").unsigned_integer(gpu.memory_mb);
  put_if(out, "driver_version", gpu.driver_version);
  put_if(out, "cuda_version", gpu.cuda_version);
  put_if(out, "compute_cap", gpu.compute_cap);
  out.key("mig_capable").boolean(gpu.mig_capable);
  put_if(out, "mig_mode", gpu.mig_mode);
  put_if(out, "iommu_group", gpu.iommu_group);
  out.end_object();
}

GpuDevice read_gpu(const Node& node) {
  GpuDevice gpu;
  gpu.index = clamped<std::uint32_t>(count_of(node, "index").value_or(0));
  gpu.uuid = text_of(node, "uuid");
  gpu.model = text_of(node, "model");
  gpu.pci_bus_id = text_of(node, "pci_bus_id");
  gpu.driver_version = text_of(node, "driver_version");
  gpu.cuda_version = text_of(node, "cuda_version");
  gpu.compute_cap = text_of(node, "compute_cap");
  gpu.mig_mode = text_of(node, "mig_mode");
  gpu.iommu_group = text_of(node, "iommu_group");
  gpu.memory_mb = size_of(node, "memory_mb");
  gpu.mig_capable = flag_of(node, "mig_capable");
  return gpu;
}

void write_mig(Writer& out, const MigInstance& mig) {
  out.begin_object();
  put(out, "profile", mig.profile);
  put(out, "kind", mig.kind);
  put(out, "uuid", mig.uuid);
  put(out, "parent_gpu_uuid", mig.parent_gpu_uuid);
  out.end_object();
}

}  // namespace

std::string_view json_text(const std::string& text, std::string& room) {
  if (base::is_utf8(text)) return text;
  room = base::to_utf8(text);
  return room;
}

std::string write_capacity(const Capacity& capacity) {
  Writer out;
  out.begin_object().key("cpus").integer(capacity.cpus).key("ram_mb").integer(capacity.ram_mb);
  out.key("storage_gb").integer(capacity.storage_gb);
  put(out, "arch", capacity.arch);
  out.key("gpus").integer(capacity.gpus);
  put_if(out, "gpu_kind", capacity.gpu_kind);
  out.key("gpu_devices").begin_array();
  for (const GpuDevice& gpu : capacity.gpu_devices) write_gpu(out, gpu);
  out.end_array();
  if (!capacity.mig_instances.empty()) {
    out.key("mig_instances").begin_array();
    for (const MigInstance& mig : capacity.mig_instances) write_mig(out, mig);
    out.end_array();
  }
  if (!capacity.mig_profiles.empty()) put_counts(out, "mig_profiles", capacity.mig_profiles);
  put_if(out, "storage_total_gb", capacity.storage_total_gb);
  if (capacity.image_gb) put_counts(out, "image_gb", *capacity.image_gb);
  put_if(out, "base_image_gb", capacity.base_image_gb);
  put_if(out, "vm_count", capacity.vm_count);
  put_if(out, "huge_pages_free_mb", capacity.huge_pages_free_mb);
  put_if(out, "fleet_id", capacity.fleet_id);
  if (!capacity.agent_name.empty()) {
    out.key("agent").begin_object();
    put(out, "name", capacity.agent_name);
    put(out, "version", capacity.agent_version);
    out.end_object();
  }
  if (!capacity.features.empty()) {
    out.key("features").begin_array();
    for (const std::string& feature : capacity.features) out.string(base::to_utf8(feature));
    out.end_array();
  }
  out.end_object();
  return out.take();
}

Capacity read_capacity(const Node& node) {
  Capacity capacity;
  capacity.cpus = count_of(node, "cpus").value_or(0);
  capacity.ram_mb = count_of(node, "ram_mb").value_or(0);
  capacity.storage_gb = count_of(node, "storage_gb").value_or(0);
  capacity.gpus = count_of(node, "gpus").value_or(0);
  capacity.arch = text_of(node, "arch");
  capacity.gpu_kind = text_of(node, "gpu_kind");
  if (const Node* gpus = member(node, "gpu_devices"); gpus != nullptr && gpus->is_array())
    for (const Node& gpu : gpus->elements()) capacity.gpu_devices.push_back(read_gpu(gpu));
  if (const Node* migs = member(node, "mig_instances"); migs != nullptr && migs->is_array())
    for (const Node& mig : migs->elements())
      capacity.mig_instances.push_back(
          {text_of(mig, "uuid"), text_of(mig, "profile"), text_of(mig, "kind"), text_of(mig, "parent_gpu_uuid")});
  capacity.mig_profiles = counts_of(node, "mig_profiles");
  capacity.storage_total_gb = count_of(node, "storage_total_gb");
  capacity.base_image_gb = count_of(node, "base_image_gb");
  capacity.vm_count = count_of(node, "vm_count");
  capacity.huge_pages_free_mb = count_of(node, "huge_pages_free_mb");
  if (const Node* images = member(node, "image_gb"); images != nullptr && images->is_object())
    capacity.image_gb = counts_of(node, "image_gb");
  capacity.fleet_id = text_of(node, "fleet_id");
  if (const Node* agent = member(node, "agent")) {
    capacity.agent_name = text_of(*agent, "name");
    capacity.agent_version = text_of(*agent, "version");
  }
  capacity.features = texts_of(node, "features");
  return capacity;
}

void write_vm(Writer& out, const VmRecord& record) {
  out.begin_object();
  put(out, "vm_id", record.vm_id);
  put(out, "url", record.url);
  if (record.generation != 0) out.key("generation").unsigned_integer(record.generation);
  put_if(out, "fleet_id", record.fleet_id);
  put_if(out, "state", record.state);
  put_if(out, "boot_id", record.boot_id);
  out.end_object();
}

base::Result<VmRecord> read_vm(const Node& node, std::string_view backend) {
  VmRecord record;
  record.vm_id = text_of(node, "vm_id");
  if (record.vm_id.empty()) return base::fail(base::Errc::invalid, "the agent's record has no vm_id");
  record.url = text_of(node, "url");
  if (record.url.empty()) record.url = (backend == "qemu" ? "qemu://" : "fc://") + record.vm_id;
  record.generation = size_of(node, "generation");
  record.fleet_id = text_of(node, "fleet_id");
  record.state = text_of(node, "state");
  record.boot_id = text_of(node, "boot_id");
  return record;
}

void write_snapshot(Writer& out, const SnapshotRecord& record) {
  out.begin_object();
  put(out, "snapshot_id", record.snapshot_id);
  put(out, "comment", record.comment);
  put(out, "created_at", record.created_at);
  put(out, "origin_vm_id", record.origin_vm_id);
  put(out, "digest", record.digest);
  put(out, "kind", record.kind.empty() ? std::string("disk") : record.kind);
  out.key("size_bytes").unsigned_integer(record.size_bytes).end_object();
}

base::Result<SnapshotRecord> read_snapshot(const Node& node) {
  SnapshotRecord record;
  record.snapshot_id = text_of(node, "snapshot_id");
  if (record.snapshot_id.empty()) return base::fail(base::Errc::invalid, "the agent's record has no snapshot_id");
  record.comment = text_of(node, "comment");
  record.created_at = text_of(node, "created_at");
  record.origin_vm_id = text_of(node, "origin_vm_id");
  record.digest = text_of(node, "digest");
  record.kind = text_of(node, "kind");
  if (record.kind != "live") record.kind = "disk";
  record.size_bytes = member(node, "size_bytes") != nullptr ? size_of(node, "size_bytes") : size_of(node, "bytes");
  return record;
}

void write_endpoints(Writer& out, const std::vector<Endpoint>& endpoints) {
  out.begin_array();
  for (const Endpoint& endpoint : endpoints) {
    out.begin_object();
    put(out, "as", endpoint.as);
    put(out, "url", endpoint.url);
    out.key("port").integer(endpoint.port).key("host_port").integer(endpoint.host_port);
    put_if(out, "protocol", endpoint.protocol);
    out.end_object();
  }
  out.end_array();
}

std::vector<Endpoint> read_endpoints(const Node& node) {
  std::vector<Endpoint> endpoints;
  const Node* list = member(node, "endpoints");
  if (list == nullptr || !list->is_array()) return endpoints;
  for (const Node& one : list->elements()) {
    Endpoint endpoint{.as = text_of(one, "as"), .url = text_of(one, "url"), .protocol = text_of(one, "protocol")};
    endpoint.port = clamped<std::uint16_t>(count_of(one, "port").value_or(0));
    endpoint.host_port = clamped<std::uint16_t>(count_of(one, "host_port").value_or(0));
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

std::string write_exec(const ExecResult& result) {
  Writer out;
  out.begin_object().key("exit_code").integer(result.exit.exit_code);
  out.key("stdout").string(base::to_base64(base::as_bytes(result.out)));
  out.key("stderr").string(base::to_base64(base::as_bytes(result.err)));
  if (result.exit.timed_out) out.key("timed_out").boolean(true);
  put_if(out, "signal", result.exit.signal);
  if (result.out_truncated || result.err_truncated) {
    out.key("truncated").begin_object();
    if (result.out_truncated) out.key("stdout").boolean(true);
    if (result.err_truncated) out.key("stderr").boolean(true);
    out.end_object();
  }
  out.end_object();
  return out.take();
}

base::Result<ExecResult> read_exec(const Node& node, std::uint64_t output_bytes_max) {
  ExecResult result;
  const Node* code = member(node, "exit_code");
  if (code == nullptr || !code->as_i64()) return base::fail(base::Errc::invalid, "the agent's reply has no exit_code");
  result.exit.exit_code = static_cast<std::int32_t>(*code->as_i64());
  result.exit.timed_out = flag_of(node, "timed_out");
  result.exit.signal = text_of(node, "signal");
  if (const Node* truncated = member(node, "truncated")) {
    result.out_truncated = truncated->kind() == Kind::boolean ? truncated->boolean() : flag_of(*truncated, "stdout");
    result.err_truncated = truncated->kind() == Kind::boolean ? truncated->boolean() : flag_of(*truncated, "stderr");
  }
  const auto stream = [&](std::string_view key, std::string& into, bool& cut) -> base::Result<void> {
    FB_TRY(const base::Bytes bytes, base::within(key, base::from_base64(text_of(node, key))));
    const std::size_t size = std::min<std::uint64_t>(bytes.size(), output_bytes_max);
    cut = cut || size < bytes.size();
    into.assign(reinterpret_cast<const char*>(bytes.data()), size);
    return {};
  };
  FB_CHECK(stream("stdout", result.out, result.out_truncated));
  FB_CHECK(stream("stderr", result.err, result.err_truncated));
  return result;
}

void write_file_entry(Writer& out, const FileEntry& entry) {
  out.begin_object();
  put(out, "name", entry.name);
  put(out, "type", entry.type);
  out.key("size").unsigned_integer(entry.size);
  put(out, "mode", write_mode(entry.mode));
  put(out, "mtime", base::format_rfc3339(entry.mtime));
  out.end_object();
}

base::Result<FileEntry> read_file_entry(const Node& node) {
  FileEntry entry{.name = text_of(node, "name"), .type = text_of(node, "type"), .size = size_of(node, "size")};
  if (entry.name.empty()) return base::fail(base::Errc::invalid, "the agent's file entry has no name");
  entry.mode = read_mode(text_of(node, "mode")).value_or(0);
  if (const auto at = base::parse_rfc3339(text_of(node, "mtime"))) entry.mtime = *at;
  return entry;
}

void write_process(Writer& out, const ProcessInfo& process) {
  out.begin_object().key("pid").unsigned_integer(process.pid).key("argv").begin_array();
  for (const std::string& argument : process.argv) out.string(base::to_utf8(argument));
  out.end_array();
  put_if(out, "tag", process.tag);
  put_if(out, "cwd", process.cwd);
  put(out, "started", base::format_rfc3339(process.started));
  out.end_object();
}

base::Result<ProcessInfo> read_process(const Node& node) {
  ProcessInfo process;
  const Node* pid = member(node, "pid");
  if (pid == nullptr || !pid->as_u64()) return base::fail(base::Errc::invalid, "the agent's process has no pid");
  process.pid = *pid->as_u64();
  process.argv = texts_of(node, "argv");
  process.tag = text_of(node, "tag");
  process.cwd = text_of(node, "cwd");
  if (const auto at = base::parse_rfc3339(text_of(node, "started"))) process.started = *at;
  return process;
}

std::string write_stats(const VmStats& stats) {
  Writer out;
  out.begin_object().key("cpu_us").unsigned_integer(stats.cpu_us);
  out.key("memory_bytes").unsigned_integer(stats.memory_bytes);
  out.key("disk_bytes").unsigned_integer(stats.disk_bytes);
  out.key("processes").unsigned_integer(stats.processes).end_object();
  return out.take();
}

VmStats read_stats(const Node& node) {
  return {.cpu_us = size_of(node, "cpu_us"),
          .memory_bytes = size_of(node, "memory_bytes"),
          .disk_bytes = size_of(node, "disk_bytes"),
          .processes = clamped<std::uint32_t>(count_of(node, "processes").value_or(0))};
}

std::string write_log_record(const LogRecord& record) {
  Writer out;
  out.begin_object();
  put(out, "at", base::format_rfc3339(record.at));
  put(out, "source", record.source);
  put(out, "data", record.data);
  out.end_object();
  return out.take();
}

base::Result<LogRecord> read_log_record(const Node& node) {
  FB_TRY(const base::Nanos at, base::parse_rfc3339(text_of(node, "at")));
  return LogRecord{at, text_of(node, "source"), text_of(node, "data")};
}

std::optional<std::uint32_t> read_mode(std::string_view octal) noexcept {
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(octal.data(), octal.data() + octal.size(), mode, 8);
  if (octal.empty() || error != std::errc() || end != octal.data() + octal.size() || mode > 07777) return {};
  return mode;
}

std::string write_mode(std::uint32_t mode) {
  std::string text = "0000";
  for (std::size_t i = 4; i-- > 0; mode >>= 3) text[i] = static_cast<char>('0' + (mode & 7));
  return text;
}

}  // namespace fusebox::host
