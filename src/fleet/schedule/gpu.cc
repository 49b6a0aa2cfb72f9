#include "fleet/schedule/gpu.h"

#include <algorithm>

namespace fusebox::fleet::schedule {
namespace {

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool contains_no_case(std::string_view text, std::string_view part) noexcept {
  return !std::ranges::search(text, part, {}, lower, lower).empty() || part.empty();
}

std::int64_t left(std::int64_t capacity, std::int64_t reserved) noexcept {
  return std::max<std::int64_t>(0, capacity - std::clamp<std::int64_t>(reserved, 0, INT64_MAX / 2));
}

// Named units first, in list order; `nameless` more may serve without a name.
bool take(std::vector<std::string_view>& named, std::int64_t nameless, std::int64_t unknown, std::int64_t wanted,
          std::vector<std::string>* out) {
  // Units held by environments that do not say which: they may be any of these.
  const std::int64_t free = static_cast<std::int64_t>(named.size()) + nameless - unknown;
  if (free < wanted) return false;
  if (out == nullptr) return true;
  const std::int64_t count = std::min<std::int64_t>(wanted, static_cast<std::int64_t>(named.size()));
  out->assign(named.begin(), named.begin() + count);
  return true;
}

bool devices_fit(const HostView& host, const Demand& demand, std::vector<std::string>* out) {
  const HostCapacity& capacity = host.capacity;
  if (capacity.gpu_devices.empty()) {
    if (!demand.gpu_kind.empty() && demand.gpu_kind != capacity.gpu_kind) return false;
    return left(capacity.gpus, host.reserved.gpus) >= demand.gpus;
  }
  std::vector<std::string_view> named;
  std::int64_t nameless = 0;
  for (const GpuDevice& device : capacity.gpu_devices) {
    const std::string& kind = device.model.empty() ? capacity.gpu_kind : device.model;
    if (!contains_no_case(kind, demand.gpu_kind)) continue;
    if (device.uuid.empty()) {
      ++nameless;
    } else if (!host.reserved.gpu_uuids.contains(device.uuid)) {
      named.emplace_back(device.uuid);
    }
  }
  const auto known = static_cast<std::int64_t>(host.reserved.gpu_uuids.size());
  return take(named, nameless, left(host.reserved.gpus, known), demand.gpus, out);
}

std::int64_t count_of(const std::map<std::string, std::int64_t>& counts, const std::string& profile) {
  const auto found = counts.find(profile);
  return found == counts.end() ? 0 : found->second;
}

bool slices_fit(const HostView& host, const Demand& demand, std::vector<std::string>* out) {
  const HostCapacity& capacity = host.capacity;
  const std::int64_t reserved = count_of(host.reserved.mig_profiles, demand.gpu_profile);
  if (capacity.mig_instances.empty()) {
    if (!demand.gpu_kind.empty() && demand.gpu_kind != capacity.gpu_kind) return false;
    return left(count_of(capacity.mig_profiles, demand.gpu_profile), reserved) >= demand.gpus;
  }
  std::vector<std::string_view> named;
  std::int64_t nameless = 0;
  std::int64_t known = 0;
  for (const MigInstance& instance : capacity.mig_instances) {
    if (!std::ranges::equal(instance.profile, demand.gpu_profile, {}, lower, lower)) continue;
    const bool taken = !instance.uuid.empty() && host.reserved.mig_instance_uuids.contains(instance.uuid);
    if (taken) ++known;
    if (!contains_no_case(instance.kind.empty() ? capacity.gpu_kind : instance.kind, demand.gpu_kind)) continue;
    if (instance.uuid.empty()) {
      ++nameless;
    } else if (!taken) {
      named.emplace_back(instance.uuid);
    }
  }
  return take(named, nameless, left(reserved, known), demand.gpus, out);
}

bool fit(const HostView& host, const Demand& demand, GpuChoice* choice) {
  if (demand.gpus <= 0) return true;
  if (demand.gpu_profile.empty()) return devices_fit(host, demand, choice != nullptr ? &choice->gpu_uuids : nullptr);
  return slices_fit(host, demand, choice != nullptr ? &choice->mig_instance_uuids : nullptr);
}

}  // namespace

bool serves_gpus(const HostView& host) noexcept {
  return host.capacity.gpus > 0 || !host.capacity.gpu_devices.empty() || !host.capacity.mig_instances.empty() ||
         std::ranges::any_of(host.capacity.mig_profiles, [](const auto& profile) { return profile.second > 0; });
}

std::optional<GpuChoice> choose_gpus(const HostView& host, const Demand& demand) {
  GpuChoice choice;
  if (!fit(host, demand, &choice)) return std::nullopt;
  return choice;
}

bool gpus_fit(const HostView& host, const Demand& demand) {
  return fit(host, demand, nullptr);
}

std::string gpu_text(const Demand& demand) {
  std::string text = std::to_string(demand.gpus) + " ";
  if (!demand.gpu_profile.empty()) {
    text += demand.gpu_profile + (demand.gpus == 1 ? " mig instance" : " mig instances");
  } else {
    text += demand.gpus == 1 ? "gpu" : "gpus";
  }
  if (!demand.gpu_kind.empty()) text += " of kind \"" + demand.gpu_kind + "\"";
  return text;
}

}  // namespace fusebox::fleet::schedule
