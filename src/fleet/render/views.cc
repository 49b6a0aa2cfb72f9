#include "fleet/render/views.h"

#include "base/json.h"

namespace fusebox::fleet {
namespace {

using base::json::Writer;

void text(Writer& out, std::string_view key, std::string_view value) {
  out.key(key).string(base::to_utf8(value));
}
void text_if(Writer& out, std::string_view key, std::string_view value) {
  if (!value.empty()) text(out, key, value);
}
void number_if(Writer& out, std::string_view key, std::int64_t value) {
  if (value != 0) out.key(key).integer(value);
}
void time(Writer& out, std::string_view key, base::Nanos value) {
  out.key(key).string(api_time(value));
}
void time_if(Writer& out, std::string_view key, base::Nanos value) {
  if (value.count() != 0) time(out, key, value);
}
// Stored JSON, left out when it says nothing.
void raw_if(Writer& out, std::string_view key, std::string_view json, std::string_view empty) {
  if (!json.empty() && json != empty) out.key(key).raw(json);
}

void sizes(Writer& out, std::int64_t cpus, std::int64_t ram_mb, std::int64_t storage_gb) {
  out.key("cpus").integer(cpus).key("ram_mb").integer(ram_mb).key("storage_gb").integer(storage_gb);
}

// What a snapshot's metadata says under this key.
std::string metadata_text(const base::json::Document* metadata, std::string_view key) {
  if (metadata == nullptr) return {};
  const auto* found = metadata->root->find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

}  // namespace

std::string api_time(base::Nanos wall) {
  return wall.count() == 0 ? "0001-01-01T00:00:00Z" : base::format_rfc3339(wall);
}

std::string render_environment(const EnvironmentRow& row) {
  Writer out;
  out.begin_object();
  text(out, "id", row.vm_id);
  text(out, "state", to_string(row.state));
  text(out, "task_id", row.task_id);
  text_if(out, "host_id", row.host_id);
  text(out, "url", row.url);
  out.key("spec").raw(row.spec_json.empty() ? "{}" : row.spec_json);
  time(out, "created_at", row.created_at);
  time(out, "updated_at", row.updated_at);
  text_if(out, "error", row.last_error);
  raw_if(out, "endpoints", row.endpoints_json, "[]");
  raw_if(out, "health", row.health_json, "");
  text_if(out, "backend", row.backend);
  out.key("generation").unsigned_integer(row.generation);
  text_if(out, "tenant_id", row.tenant_id);
  text_if(out, "op_id", row.op_id);
  if (!row.source_vm_id.empty() || !row.source_snapshot_id.empty()) {
    out.key("forked_from").begin_object();
    text_if(out, "vm_id", row.source_vm_id);
    text_if(out, "snapshot_id", row.source_snapshot_id);
    out.end_object();
  }
  out.key("resources").begin_object();
  sizes(out, row.cpus, row.ram_mb, row.storage_gb);
  out.end_object();
  number_if(out, "boot_ms", row.boot_ms);
  out.key("egress").raw(R"({"mode":"direct"})");
  out.end_object();
  return out.take();
}

void refresh_view(EnvironmentRow& row) {
  row.view_json = render_environment(row);
  row.view_version = kViewVersion;
}

std::string with_unreachable_host(std::string_view view_json) {
  std::string changed(view_json.substr(0, view_json.size() - 1));
  return changed.append(R"(,"host_reachable":false})");
}

std::string render_snapshot(const SnapshotRow& row) {
  const auto metadata = base::json::parse(row.metadata_json);
  const auto* known = metadata ? &*metadata : nullptr;
  Writer out;
  out.begin_object();
  text(out, "id", row.snapshot_id);
  text(out, "vm_id", row.vm_id);
  text_if(out, "task_id", row.task_id);
  text_if(out, "tenant_id", row.tenant_id);
  text_if(out, "parent_snapshot_id", row.parent_snapshot_id);
  text_if(out, "mode", row.mode);
  text(out, "state", to_string(row.state));
  text_if(out, "comment", metadata_text(known, "comment"));
  text_if(out, "name", metadata_text(known, "name"));
  text_if(out, "layer_key", row.layer_key);
  text_if(out, "arch", row.arch);
  text_if(out, "digest", row.digest);
  number_if(out, "size_bytes", row.size_bytes);
  time(out, "created_at", row.created_at);
  time(out, "updated_at", row.updated_at);
  time_if(out, "retention_until", row.retention_until);
  text_if(out, "last_error", row.last_error);
  text_if(out, "export_ref", metadata_text(known, "export_ref"));
  raw_if(out, "exports", row.exports_json, "[]");
  text(out, "kind", row.kind.empty() ? "disk" : row.kind);
  text_if(out, "backend", row.backend);
  text_if(out, "host_id", row.host_id);
  out.end_object();
  return out.take();
}

namespace {

void counts_if(Writer& out, std::string_view key, const std::map<std::string, std::int64_t>& counts) {
  if (counts.empty()) return;
  out.key(key).begin_object();
  for (const auto& [name, count] : counts) out.key(name).integer(count);
  out.end_object();
}

void host_capacity(Writer& out, const HostRow& row) {
  out.key("capacity").begin_object();
  sizes(out, row.cpus_total, row.ram_mb_total, row.storage_gb_total);
  out.key("vm_count").integer(row.vm_count_max);
  text_if(out, "arch", row.arch);
  number_if(out, "gpus", row.gpus_total);
  text_if(out, "gpu_kind", row.gpu_kind);
  counts_if(out, "mig_profiles", row.mig_profiles);
  raw_if(out, "mig_instances", row.mig_instances_json, "[]");
  raw_if(out, "gpu_devices", row.gpu_devices_json, "[]");
  out.end_object();
}

void strings(Writer& out, std::string_view key, const std::vector<std::string>& values) {
  out.key(key).begin_array();
  for (const std::string& value : values) out.string(base::to_utf8(value));
  out.end_array();
}

void host_allocated(Writer& out, const HostRow& row, const Reader::BoundDevices& bound) {
  const bool has_devices = row.gpus_allocated > 0 || !bound.mig_profiles.empty();
  out.key("allocated").begin_object();
  sizes(out, row.cpus_allocated, row.ram_mb_allocated, row.storage_gb_allocated);
  out.key("vm_count").integer(row.vm_count_allocated);
  number_if(out, "gpus", row.gpus_allocated);
  text_if(out, "gpu_kind", has_devices ? row.gpu_kind : std::string());
  counts_if(out, "mig_profiles", bound.mig_profiles);
  if (!bound.mig_instance_uuids.empty()) strings(out, "mig_instance_uuids", bound.mig_instance_uuids);
  out.end_object();
}

}  // namespace

std::string render_host(const HostRow& row, const Reader::BoundDevices& bound,
                        const std::vector<std::string>& warnings) {
  Writer out;
  out.begin_object();
  text(out, "id", row.host_id);
  text(out, "url", row.url);
  text_if(out, "region", row.region);
  text_if(out, "backend", row.backend);
  if (!row.labels.empty()) {
    out.key("labels").begin_object();
    for (const auto& [key, value] : row.labels) text(out, key, value);
    out.end_object();
  }
  text(out, "state", to_string(row.state));
  host_capacity(out, row);
  host_allocated(out, row, bound);
  time(out, "last_seen", row.last_seen_at);
  time(out, "created_at", row.created_at);
  time(out, "updated_at", row.updated_at);
  if (!warnings.empty()) strings(out, "warnings", warnings);
  out.key("reachability").begin_object();
  text(out, "state", to_string(row.reach_state));
  time(out, "since", row.reach_since);
  text_if(out, "last_error", row.last_error);
  out.end_object();
  out.key("agent").begin_object();
  text(out, "name", row.agent_name);
  text(out, "version", row.agent_version);
  strings(out, "features", row.features);
  out.end_object();
  out.end_object();
  return out.take();
}

std::string render_api_key(const ApiKeyRow& row, std::string_view key) {
  Writer out;
  out.begin_object();
  text(out, "id", row.id);
  text_if(out, "label", row.label);
  time(out, "created_at", row.created_at);
  text_if(out, "key", key);
  time_if(out, "last_used_at", row.last_used_at);
  time_if(out, "revoked_at", row.revoked_at);
  if (row.scopes) strings(out, "scopes", *row.scopes);
  text_if(out, "tenant_id", row.tenant_id);
  time_if(out, "expires_at", row.expires_at);
  out.end_object();
  return out.take();
}

std::string state_event(const EnvironmentRow& row, std::string_view state, base::Nanos at) {
  Writer out;
  out.begin_object();
  text(out, "event", "state");
  text(out, "vm_id", row.vm_id);
  text(out, "state", state);
  text_if(out, "url", row.url);
  text_if(out, "error", row.last_error);
  time(out, "updated_at", at);
  out.end_object();
  return out.take();
}

std::string guest_event(std::string_view kind, std::string_view vm_id, std::string_view payload_json) {
  Writer out;
  out.begin_object();
  text(out, "event", kind);
  text(out, "vm_id", vm_id);
  out.key("payload").raw(payload_json).end_object();
  return out.take();
}

std::string render_endpoints(const std::vector<host::Endpoint>& endpoints) {
  Writer out;
  out.begin_array();
  for (const host::Endpoint& endpoint : endpoints) {
    out.begin_object();
    text_if(out, "as", endpoint.as);
    text(out, "url", endpoint.url);
    out.key("port").integer(endpoint.port);
    text_if(out, "protocol", endpoint.protocol);
    out.end_object();
  }
  out.end_array();
  return out.take();
}

}  // namespace fusebox::fleet
