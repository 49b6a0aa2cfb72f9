#include "fleet/engine/host_probe.h"

#include <algorithm>

#include "base/json.h"

namespace fusebox::fleet {
namespace {

// HA D1: a second VM on it destroys the network of the first.
bool serves_one_vm(std::string_view name, std::string_view version) {
  return name == "qemu-agent" && (version == "0.1" || version.starts_with("0.1."));
}

std::string devices_json(const host::Capacity& capacity) {
  base::json::Writer out;
  out.begin_array();
  for (const host::GpuDevice& device : capacity.gpu_devices) {
    out.begin_object();
    const auto text = [&](std::string_view key, const std::string& value) {
      if (!value.empty()) out.key(key).string(base::to_utf8(value));
    };
    text("uuid", device.uuid);
    text("model", device.model);
    text("pci_bus_id", device.pci_bus_id);
    if (device.memory_mb != 0) out.key("memory_mb").unsigned_integer(device.memory_mb);
    text("driver_version", device.driver_version);
    text("cuda_version", device.cuda_version);
    text("compute_cap", device.compute_cap);
    if (device.mig_capable) out.key("mig_capable").boolean(true);
    text("mig_mode", device.mig_mode);
    text("iommu_group", device.iommu_group);
    out.end_object();
  }
  return out.end_array().take();
}

std::string instances_json(const host::Capacity& capacity) {
  base::json::Writer out;
  out.begin_array();
  for (const host::MigInstance& instance : capacity.mig_instances) {
    out.begin_object();
    const auto text = [&](std::string_view key, const std::string& value) {
      if (!value.empty()) out.key(key).string(base::to_utf8(value));
    };
    text("uuid", instance.uuid);
    text("profile", instance.profile);
    text("kind", instance.kind);
    text("parent_gpu_uuid", instance.parent_gpu_uuid);
    out.end_object();
  }
  return out.end_array().take();
}

struct Number {
  std::string_view name;
  std::int64_t HostRow::* field;
  std::int64_t host::Capacity::* probed;
};
constexpr Number kNumbers[] = {
    {"cpus", &HostRow::cpus_total, &host::Capacity::cpus},
    {"ram_mb", &HostRow::ram_mb_total, &host::Capacity::ram_mb},
    {"storage_gb", &HostRow::storage_gb_total, &host::Capacity::storage_gb},
};

}  // namespace

base::Result<void> apply_probe(HostRow& row, const host::Capacity& capacity, std::vector<std::string>& warnings) {
  Probed told;
  for (const Number& number : kNumbers) {
    const std::int64_t probed = std::max<std::int64_t>(0, capacity.*number.probed);
    std::int64_t& mine = row.*number.field;
    if (mine <= 0) {
      mine = probed;
      told.fields.emplace(number.name);
    } else if (mine > probed) {
      warnings.push_back("declared " + std::string(number.name) + " (" + std::to_string(mine) +
                         ") exceeds probed host capacity (" + std::to_string(probed) + ")");
    }
  }
  if (!row.arch.empty() && !capacity.arch.empty() && row.arch != capacity.arch)
    return refuse(400, "capacity.arch is " + row.arch + ", but the host at " + row.url + " is " + capacity.arch);
  if (row.arch.empty()) row.arch = capacity.arch;
  if (!row.gpu_kind.empty() && !capacity.gpu_kind.empty() && row.gpu_kind != capacity.gpu_kind)
    warnings.push_back("declared gpu_kind \"" + row.gpu_kind + "\" differs from the probed \"" + capacity.gpu_kind +
                       "\"");
  if (row.gpu_kind.empty()) row.gpu_kind = capacity.gpu_kind;
  if (row.gpus_total == 0 && row.backend == "qemu") row.gpus_total = capacity.gpus;
  row.gpu_devices_json = devices_json(capacity);
  row.mig_instances_json = instances_json(capacity);
  if (row.mig_profiles.empty()) row.mig_profiles = capacity.mig_profiles;
  row.features = capacity.features;
  row.agent_name = capacity.agent_name;
  row.agent_version = capacity.agent_version;
  told.take(capacity);
  row.probed_json = write_probed(told);
  if (serves_one_vm(row.agent_name, row.agent_version) && row.vm_count_max > 1) {
    row.vm_count_max = 1;
    warnings.push_back("this agent serves one vm at a time: vm_count limited to 1");
  }
  return {};
}

void take_capacity(Core& core, ManagedHost& host, const host::Capacity& capacity) {
  for (const Number& number : kNumbers) {
    if (host.probed.fields.contains(number.name))
      host.row.*number.field = std::max<std::int64_t>(0, capacity.*number.probed);
  }
  if (!capacity.gpu_devices.empty()) host.row.gpu_devices_json = devices_json(capacity);
  if (!capacity.mig_instances.empty()) host.row.mig_instances_json = instances_json(capacity);
  if (!capacity.agent_name.empty()) host.row.agent_name = capacity.agent_name;
  if (!capacity.agent_version.empty()) host.row.agent_version = capacity.agent_version;
  if (serves_one_vm(host.row.agent_name, host.row.agent_version))
    host.row.vm_count_max = std::min<std::int64_t>(host.row.vm_count_max, 1);
  // What was not declared because the host was away when it was registered.
  if (host.row.arch.empty()) host.row.arch = capacity.arch;
  if (host.row.gpu_kind.empty()) host.row.gpu_kind = capacity.gpu_kind;
  if (host.row.gpus_total == 0 && host.row.backend == "qemu") host.row.gpus_total = capacity.gpus;
  if (host.row.mig_profiles.empty()) host.row.mig_profiles = capacity.mig_profiles;
  core.hosts.set_features(host, capacity.features);
  host.probed.take(capacity);
  host.row.probed_json = write_probed(host.probed);
}

}  // namespace fusebox::fleet
