// POST /v1/hosts/{id}?action=heartbeat (contract control-plane.md 11.2). Hosts may lie: what cannot be is refused.
#include "base/bytes.h"
#include "base/text.h"
#include "fleet/api/rules/body_reader.h"
#include "fleet/api/rules/names.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::Result;

std::uint64_t unsigned_or_zero(std::int64_t value) noexcept {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

host::GpuDevice decode_device(const BodyObject& device) {
  host::GpuDevice out;
  out.index = static_cast<std::uint32_t>(unsigned_or_zero(device.i32("index")));
  out.uuid = device.text("uuid");
  out.model = device.text("model");
  out.pci_bus_id = device.text("pci_bus_id");
  out.driver_version = device.text("driver_version");
  out.cuda_version = device.text("cuda_version");
  out.compute_cap = device.text("compute_cap");
  out.mig_mode = device.text("mig_mode");
  out.iommu_group = device.text("iommu_group");
  out.memory_mb = unsigned_or_zero(device.i64("memory_mb"));
  out.mig_capable = device.boolean("mig_capable");
  return out;
}

host::Capacity decode_capacity(const BodyObject& body) {
  host::Capacity out;
  out.cpus = body.i32("cpus");
  out.ram_mb = body.i32("ram_mb");
  out.storage_gb = body.i32("storage_gb");
  out.gpus = body.i32("gpus");
  out.arch = body.text("arch");
  out.gpu_kind = body.text("gpu_kind");
  body.each("gpu_devices", [&](const BodyObject& device) { out.gpu_devices.push_back(decode_device(device)); });
  out.mig_profiles = body.count_map("mig_profiles");
  body.each("mig_instances", [&](const BodyObject& instance) {
    out.mig_instances.push_back(
        {instance.text("uuid"), instance.text("profile"), instance.text("kind"), instance.text("parent_gpu_uuid")});
  });
  out.storage_total_gb = body.maybe_i64("storage_total_gb");
  out.base_image_gb = body.maybe_i64("base_image_gb");
  out.vm_count = body.maybe_i64("vm_count");
  out.huge_pages_free_mb = body.maybe_i64("huge_pages_free_mb");
  if (body.find("image_gb") != nullptr) out.image_gb = body.count_map("image_gb");
  out.fleet_id = body.text("fleet_id");
  return out;
}

Result<void> check_capacity(host::Capacity& capacity) {
  const std::pair<std::string_view, std::int64_t> sizes[] = {
      {"cpus", capacity.cpus},
      {"ram_mb", capacity.ram_mb},
      {"storage_gb", capacity.storage_gb},
      {"gpus", capacity.gpus},
      {"storage_total_gb", capacity.storage_total_gb.value_or(0)},
      {"base_image_gb", capacity.base_image_gb.value_or(0)},
      {"vm_count", capacity.vm_count.value_or(0)},
      {"huge_pages_free_mb", capacity.huge_pages_free_mb.value_or(0)},
  };
  for (const auto& [name, value] : sizes) {
    if (value < 0) return refuse(400, "capacity." + std::string(name) + " must not be negative");
  }
  for (const auto& [profile, count] : capacity.mig_profiles) {
    if (count < 0) return refuse(400, "capacity.mig_profiles must not be negative");
  }
  const std::optional<std::string> arch = normal_arch(capacity.arch);
  if (!arch) return refuse(400, "capacity.arch " + base::in_quotes(capacity.arch) + " must be amd64 or arm64");
  capacity.arch = *arch;
  return {};
}

}  // namespace

Result<HeartbeatRequest> read_heartbeat(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Body::Absent::empty_object));
  const BodyObject root = body.root();
  HeartbeatRequest request;
  const BodyObject agent = root.object("agent");
  request.agent_version = agent.text("version");
  request.features = agent.texts("features");
  if (const BodyObject capacity = root.object("capacity"); capacity.present()) {
    request.capacity = decode_capacity(capacity);
  }
  bool negative = false;
  if (root.find("vms") != nullptr) request.vms.emplace();
  root.each("vms", [&](const BodyObject& vm) {
    const std::int64_t generation = vm.i64("generation");
    negative = negative || generation < 0;
    host::VmRecord record;
    record.vm_id = vm.text("vm_id");
    record.generation = unsigned_or_zero(generation);
    record.state = vm.text("state");
    record.boot_id = vm.text("boot_id");
    request.vms->push_back(std::move(record));
  });
  FB_CHECK(body.check());
  if (negative) return refuse(400, "vms: generation must not be negative");
  if (request.capacity) FB_CHECK(check_capacity(*request.capacity));
  return request;
}

}  // namespace fusebox::fleet
