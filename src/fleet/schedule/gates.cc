#include "fleet/schedule/gates.h"

#include <algorithm>

#include "fleet/schedule/gpu.h"

namespace fusebox::fleet::schedule {
namespace {

constexpr std::string_view kEgress = "egress";
constexpr std::string_view kLiveFork = "live-fork";
constexpr std::string_view kWasm = "wasm";
constexpr std::string_view kQemu = "qemu";

// A capacity below its reservations, or a negative one, holds nothing.
bool holds(std::int64_t capacity, std::int64_t reserved, std::int64_t wanted) noexcept {
  if (wanted <= 0) return true;
  return capacity >= 0 && reserved >= 0 && reserved <= capacity && capacity - reserved >= wanted;
}

bool fits(const HostView& host, const Demand& demand) {
  const HostCapacity& all = host.capacity;
  const HostReserved& used = host.reserved;
  return holds(all.cpus, used.cpus, demand.cpus) && holds(all.ram_mb, used.ram_mb, demand.ram_mb) &&
         holds(all.storage_gb, used.storage_gb, demand.storage_gb) && holds(all.vm_count, used.vm_count, 1) &&
         gpus_fit(host, demand);
}

// What is wrong with the backend of a host, or nothing.
std::string backend_rejection(const HostView& host, const Demand& demand) {
  const std::string_view backend = backend_or_default(host.backend);
  const std::string has = "has backend \"" + std::string(backend) + "\", ";
  if (demand.gpus > 0 && backend != kQemu) return has + "gpu environments require \"qemu\"";
  if (!demand.backend.empty() && demand.backend != backend) {
    return has + "the spec requires \"" + demand.backend + "\"";
  }
  if (demand.has_seed && !demand.seed.backend.empty() && demand.seed.backend != backend) {
    return has + "the seed requires \"" + demand.seed.backend + "\"";
  }
  if (demand.has_seed && arch_or_default(demand.seed.arch) != arch_or_default(host.arch)) {
    return "is " + std::string(arch_or_default(host.arch)) + ", the seed requires " +
           std::string(arch_or_default(demand.seed.arch));
  }
  return has + "the spec does not ask for it";
}

bool backend_passes(const HostView& host, const Demand& demand) noexcept {
  const std::string_view backend = backend_or_default(host.backend);
  if (demand.gpus > 0 && backend != kQemu) return false;
  if (!demand.backend.empty() && demand.backend != backend) return false;
  if (demand.has_seed) {
    if (!demand.seed.backend.empty() && demand.seed.backend != backend) return false;
    if (arch_or_default(demand.seed.arch) != arch_or_default(host.arch)) return false;
  }
  // A spec or a seed that names wasm is for wasm; one that names nothing is for a virtual machine.
  const bool wants_wasm = demand.backend == kWasm || (demand.has_seed && demand.seed.backend == kWasm);
  return backend != kWasm || wants_wasm;
}

// The feature a host lacks for `demand`, as the end of `does not support ...`; empty when it lacks none.
std::string_view missing_feature(const HostView& host, const Demand& demand) noexcept {
  if (demand.egress && !host.features.contains(kEgress)) return "egress";
  // Memory never moves between hosts (contract 26, row 2): only a holder resumes it.
  if (demand.has_seed && demand.seed.live &&
      (!host.features.contains(kLiveFork) || !demand.seed.holders.contains(host.id))) {
    return "live seeds";
  }
  if (demand.huge_pages && host.huge_pages_free_mb < demand.ram_mb) return "huge pages";
  return {};
}

Labels missing_labels(const Labels& host, const Labels& wanted) {
  Labels missing;
  for (const auto& [key, value] : wanted) {
    const auto found = host.find(key);
    if (found == host.end() || found->second != value) missing.emplace(key, value);
  }
  return missing;
}

}  // namespace

std::string_view arch_or_default(std::string_view arch) noexcept {
  return arch.empty() ? "amd64" : arch;
}

std::string_view backend_or_default(std::string_view backend) noexcept {
  return backend.empty() ? "firecracker" : backend;
}

bool may_have_image(const HostView& host, std::string_view image) {
  return image.empty() || !host.tells_images || host.images.contains(image);
}

bool labels_match(const Labels& host, const Labels& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& label) {
    const auto found = host.find(label.first);
    return found != host.end() && found->second == label.second;
  });
}

std::string labels_text(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text.append(text.empty() ? "" : ", ").append(key).append("=").append(value);
  return text;
}

std::string size_text(const Demand& demand) {
  std::string text = std::to_string(demand.cpus) + "CPU/" + std::to_string(demand.ram_mb) + "MB/" +
                     std::to_string(demand.storage_gb) + "GB";
  if (demand.gpus > 0) text += " + " + gpu_text(demand);
  return text;
}

Gate failed_gate(const HostView& host, const Demand& demand) {
  if (host.state != HostState::active) return Gate::state;
  if (!demand.region.empty() && demand.region != host.region) return Gate::region;
  if (!demand.arch.empty() && demand.arch != arch_or_default(host.arch)) return Gate::arch;
  if (!backend_passes(host, demand)) return Gate::backend;
  if (!labels_match(host.labels, demand.labels)) return Gate::labels;
  if (!missing_feature(host, demand).empty()) return Gate::features;
  if (!may_have_image(host, demand.image)) return Gate::image;
  if (!fits(host, demand)) return Gate::fit;
  if (host.reachability == Reachability::unreachable) return Gate::reachable;
  return Gate::none;
}

std::string rejection_text(const HostView& host, const Demand& demand, Gate gate) {
  switch (gate) {
    case Gate::none:
      return {};
    case Gate::state:
      return host.state == HostState::cordoned ? "is cordoned, not active" : "is draining, not active";
    case Gate::region:
      return "is in region \"" + host.region + "\", the spec requires \"" + demand.region + "\"";
    case Gate::arch:
      return "is " + std::string(arch_or_default(host.arch)) + ", the spec requires " + demand.arch;
    case Gate::backend:
      return backend_rejection(host, demand);
    case Gate::labels:
      return "does not have labels " + labels_text(missing_labels(host.labels, demand.labels));
    case Gate::features:
      return "does not support " + std::string(missing_feature(host, demand));
    case Gate::image:
      return "does not have image \"" + demand.image + "\"";
    case Gate::fit:
      return "does not fit " + size_text(demand);
    case Gate::reachable:
      return "is unreachable";
  }
  return {};
}

}  // namespace fusebox::fleet::schedule
