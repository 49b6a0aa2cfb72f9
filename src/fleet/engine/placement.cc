#include "fleet/engine/placement.h"

#include <algorithm>

#include "fleet/schedule/gates.h"
#include "fleet/schedule/place.h"

namespace fusebox::fleet {
namespace {

// Asked for a place on a certain machine: the default provider is none.
bool names_machine(const schedule::Demand& demand) {
  return !demand.host_pin.empty() || !demand.labels.empty() || !demand.region.empty();
}

bool is_vm_backend(std::string_view backend) {
  return backend.empty() || backend == "firecracker" || backend == "qemu";
}

// With hosts that serve the backend the scheduler decides; without, the provider of this process.
bool takes_default_provider(Core& core, const schedule::Demand& demand) {
  if (names_machine(demand) || demand.gpus > 0) return false;
  if (demand.has_seed && !demand.seed.holders.empty()) return false;
  if (demand.backend.empty()) return false;
  if (core.hosts.serves(demand.backend) || is_shared_out(core, demand.backend)) return false;
  return core.parts.providers.local(demand.backend) != nullptr;
}

base::Result<Choice> at_host(Core& core, const schedule::Demand& demand, schedule::Placed placed) {
  const auto host = core.hosts.find(placed.host_id);
  if (!host) return refuse(503, "host \"" + placed.host_id + "\" was removed");
  core.hosts.reserve(placed.host_id, schedule::reservation_of(demand, placed));
  return Choice{placed.host_id, host->row.backend, std::move(placed)};
}

// Why nobody takes it; of those left out the caller knows already.
std::unexpected<base::Error> refuse_all(Core& core, const schedule::Demand& demand,
                                        const std::set<std::string>& tried) {
  const schedule::Placement placement = core.hosts.index().place(demand);
  if (const auto* refusal = std::get_if<schedule::Refusal>(&placement))
    return refuse(refusal->http_status, refusal->text);
  std::string others;
  for (const std::string& id : tried) others.append(others.empty() ? "\"" : ", \"").append(id).append("\"");
  return refuse(503, "no host but " + others + " can take this environment");
}

// The best of those not tried, which the index cannot be asked for.
base::Result<Choice> elsewhere(Core& core, const schedule::Demand& demand, const std::set<std::string>& tried) {
  const schedule::Explanation* best = nullptr;
  const auto all = core.hosts.index().explain(demand);
  const schedule::PlacementPolicy policy = core.parts.options.placement_policy == "binpack"
                                               ? schedule::PlacementPolicy::binpack
                                               : schedule::PlacementPolicy::spread;
  for (const schedule::Explanation& one : all) {
    if (!one.rejection.empty() || tried.contains(one.host_id)) continue;
    if (best == nullptr || schedule::better(one.rank, one.host_id, best->rank, best->host_id, policy)) best = &one;
  }
  if (best == nullptr) return refuse_all(core, demand, tried);
  const schedule::HostView* view = core.hosts.index().find(best->host_id);
  return at_host(core, demand, schedule::bind(*view, demand));
}

}  // namespace

bool is_shared_out(const Core& core, std::string_view backend) {
  return core.parts.store.replicated() && backend == "wasm";
}

std::string default_backend(Core& core, const schedule::Demand& demand) {
  if (!core.parts.options.default_backend.empty()) return core.parts.options.default_backend;
  if (demand.has_seed) return demand.seed.backend;
  if (demand.gpus > 0) return "qemu";
  if (!demand.host_pin.empty()) {
    if (const auto host = core.hosts.find(demand.host_pin)) return host->row.backend;
  }
  if (core.hosts.serves_vms()) return {};
  if (core.parts.providers.local("firecracker") != nullptr) return "firecracker";
  if (!demand.image.empty()) {
    host::Provider* const wasm = core.parts.providers.local("wasm");
    if (wasm != nullptr && wasm->has_image(demand.image)) return "wasm";
    for (const auto& host : core.hosts.all()) {
      const auto& images = host->probed.image_gb;
      if (host->row.backend == "wasm" && images && images->contains(demand.image)) return "wasm";
    }
  }
  if (core.hosts.serves("stub")) return "stub";
  return core.hosts.empty() && !names_machine(demand) ? "stub" : std::string();
}

void count_image(Core& core, schedule::Demand& demand) {
  if (demand.storage_gb > 0) return;
  for (const auto& host : core.hosts.all()) {
    if (host->row.backend != schedule::backend_or_default(demand.backend)) continue;
    const Probed& probed = host->probed;
    std::int64_t size = demand.image.empty() ? probed.base_image_gb.value_or(0) : 0;
    if (!demand.image.empty() && probed.image_gb) {
      if (const auto image = probed.image_gb->find(demand.image); image != probed.image_gb->end()) size = image->second;
    }
    demand.storage_gb = std::max(demand.storage_gb, size);
  }
}

base::Result<Choice> choose_place(Core& core, const schedule::Demand& demand, const std::set<std::string>& tried) {
  if (!tried.empty() && demand.host_pin.empty()) return elsewhere(core, demand, tried);
  if (takes_default_provider(core, demand)) return Choice{{}, demand.backend, {}};
  schedule::Placement placement = core.hosts.index().place(demand);
  if (auto* placed = std::get_if<schedule::Placed>(&placement)) return at_host(core, demand, std::move(*placed));
  if (std::holds_alternative<schedule::DefaultProvider>(placement)) {
    if (!is_vm_backend(demand.backend) && core.parts.providers.local(demand.backend) == nullptr)
      return refuse(501, "backend \"" + demand.backend + "\" is not available on this control plane");
    const std::string backend = demand.backend.empty() ? "stub" : demand.backend;
    if (is_shared_out(core, backend))
      return refuse(
          503,
          "no hosts registered: where several replicas may share a database, environments of backend \"wasm\" "
          "need a registered host (fusebox host)");
    if (core.parts.providers.local(backend) == nullptr)
      return refuse(503, "no hosts registered: backend \"" + backend + "\" needs a registered host");
    return Choice{{}, backend, {}};
  }
  const schedule::Refusal& refusal = std::get<schedule::Refusal>(placement);
  return refuse(refusal.http_status, refusal.text);
}

}  // namespace fusebox::fleet
