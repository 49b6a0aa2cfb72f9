#include "fleet/engine/hosts.h"

#include <algorithm>

#include "base/json.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kParallelCreates = 32;  // of a host with feature parallel-create; it bounds its boots itself
constexpr std::int32_t kRefusalsMax = 3;      // contract 11.4

std::string text_of(const base::json::Node& object, std::string_view key) {
  const auto* found = object.find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

std::vector<schedule::GpuDevice> devices_of(const std::string& json) {
  std::vector<schedule::GpuDevice> devices;
  const auto document = base::json::parse(json);
  if (!document) return devices;
  for (const auto& node : document->root->elements())
    devices.push_back({text_of(node, "uuid"), text_of(node, "model")});
  return devices;
}

std::vector<schedule::MigInstance> instances_of(const std::string& json) {
  std::vector<schedule::MigInstance> instances;
  const auto document = base::json::parse(json);
  if (!document) return instances;
  for (const auto& node : document->root->elements())
    instances.push_back({text_of(node, "uuid"), text_of(node, "profile"), text_of(node, "kind")});
  return instances;
}

}  // namespace

void Agent::learn(base::Executor& executor, const std::vector<std::string>& told) {
  const auto creates_at_once = [this] { return features.contains("parallel-create") ? kParallelCreates : 1; };
  const std::size_t before = creates_at_once();
  features = {told.begin(), told.end()};
  // Turns that were given or are waited for are of the former ones.
  if (!creates || creates_at_once() != before) creates = std::make_shared<base::Places>(executor, creates_at_once());
}

HostDirectory::HostDirectory(base::Executor& executor, schedule::PlacementPolicy policy, ProviderMaker maker)
    : executor_(executor), maker_(std::move(maker)), index_(policy) {}

schedule::HostView HostDirectory::view_of(const ManagedHost& host) const {
  const HostRow& row = host.row;
  schedule::HostView view;
  view.id = row.host_id;
  view.state = row.state;
  view.reachability = host.provider ? row.reach_state : Reachability::unreachable;
  view.backend = row.backend;
  view.region = row.region;
  view.arch = row.arch;
  view.labels = row.labels;
  view.features = host.features;
  view.tells_images = host.probed.image_gb.has_value();
  if (view.tells_images)
    for (const auto& [name, size] : *host.probed.image_gb) view.images.insert(name);
  view.huge_pages_free_mb = host.probed.huge_pages_free_mb.value_or(0);
  view.capacity = {.cpus = row.cpus_total,
                   .ram_mb = row.ram_mb_total,
                   .storage_gb = row.storage_gb_total,
                   .vm_count = row.vm_count_max,
                   .gpus = row.gpus_total,
                   .gpu_kind = row.gpu_kind,
                   .mig_profiles = row.mig_profiles,
                   .mig_instances = instances_of(row.mig_instances_json),
                   .gpu_devices = devices_of(row.gpu_devices_json)};
  if (const auto found = devices_.find(row.host_id); found != devices_.end()) view.reserved = found->second;
  view.reserved.cpus = row.cpus_allocated;
  view.reserved.ram_mb = row.ram_mb_allocated;
  view.reserved.storage_gb = row.storage_gb_allocated;
  view.reserved.vm_count = row.vm_count_allocated;
  view.reserved.gpus = row.gpus_allocated;
  return view;
}

void HostDirectory::upsert(HostRow row, const Reader::BoundDevices& devices) {
  schedule::HostReserved& taken = devices_[row.host_id];
  taken.gpu_uuids = {devices.gpu_uuids.begin(), devices.gpu_uuids.end()};
  taken.mig_instance_uuids = {devices.mig_instance_uuids.begin(), devices.mig_instance_uuids.end()};
  taken.mig_profiles = devices.mig_profiles;

  std::shared_ptr<ManagedHost>& host = hosts_[row.host_id];
  const bool same_way = host && host->provider && host->row.url == row.url &&
                        host->row.token_sealed == row.token_sealed && host->row.tls_json == row.tls_json &&
                        host->row.backend == row.backend;
  if (!host) host = std::make_shared<ManagedHost>();
  if (!same_way) {
    auto provider = maker_(row);
    host->provider = provider ? *provider : nullptr;
    if (!provider) {
      row.reach_state = Reachability::unreachable;
      row.last_error = provider.error().message;
    }
    host->contact = executor_.clock().monotonic();  // a restart judges nobody by the time it was down
  }
  host->learn(executor_, row.features);
  host->probed = read_probed(row.probed_json);
  host->row = std::move(row);
  changed(*host);
}

void HostDirectory::changed(const ManagedHost& host) {
  const bool down = !host.provider || host.row.reach_state == Reachability::unreachable;
  {
    const std::lock_guard lock(ids_mutex_);
    known_.insert(host.row.host_id);
    if (down)
      unreachable_.insert(host.row.host_id);
    else
      unreachable_.erase(host.row.host_id);
    unreachable_count_.store(unreachable_.size(), std::memory_order_relaxed);
  }
  index_.upsert(view_of(host));
}

void HostDirectory::set_features(ManagedHost& host, const std::vector<std::string>& told) {
  host.row.features = told;
  host.learn(executor_, told);
}

void HostDirectory::account(std::string_view host_id, const schedule::Reservation& taken, int by) {
  const auto found = hosts_.find(host_id);
  if (found == hosts_.end()) return;
  HostRow& row = found->second->row;
  const auto add = [by](std::int64_t& sum, std::int64_t amount) { sum = std::max<std::int64_t>(0, sum + by * amount); };
  add(row.cpus_allocated, taken.cpus);
  add(row.ram_mb_allocated, taken.ram_mb);
  add(row.storage_gb_allocated, taken.storage_gb);
  add(row.vm_count_allocated, 1);
  if (taken.gpu_profile.empty()) add(row.gpus_allocated, taken.gpus);
  schedule::HostReserved& devices = devices_[row.host_id];
  if (by > 0) {
    schedule::reserve(devices, taken);
    (void)index_.reserve(host_id, taken);
  } else {
    schedule::release(devices, taken);
    (void)index_.release(host_id, taken);
  }
}

void HostDirectory::remove(std::string_view host_id) {
  const auto found = hosts_.find(host_id);
  if (found == hosts_.end()) return;
  hosts_.erase(found);
  if (const auto taken = devices_.find(host_id); taken != devices_.end()) devices_.erase(taken);
  index_.remove(host_id);
  const std::lock_guard lock(ids_mutex_);
  if (const auto known = known_.find(host_id); known != known_.end()) known_.erase(known);
  if (const auto down = unreachable_.find(host_id); down != unreachable_.end()) unreachable_.erase(down);
  unreachable_count_.store(unreachable_.size(), std::memory_order_relaxed);
}

std::shared_ptr<ManagedHost> HostDirectory::find(std::string_view host_id) const {
  const auto found = hosts_.find(host_id);
  return found == hosts_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<ManagedHost>> HostDirectory::all() const {
  std::vector<std::shared_ptr<ManagedHost>> hosts;
  hosts.reserve(hosts_.size());
  for (const auto& [id, host] : hosts_) hosts.push_back(host);
  return hosts;
}

bool HostDirectory::serves(std::string_view backend) const {
  return std::ranges::any_of(hosts_, [&](const auto& entry) { return entry.second->row.backend == backend; });
}

bool HostDirectory::serves_vms() const {
  return serves("firecracker") || serves("qemu");
}

bool HostDirectory::set_reach(ManagedHost& host, Reachability state, base::Nanos wall) {
  if (host.row.reach_state == state) return false;
  host.row.reach_state = state;
  host.row.reach_since = wall;
  changed(host);
  return true;
}

bool HostDirectory::contact(ManagedHost& host, base::Nanos now, base::Nanos wall) {
  host.contact = now;
  host.refusals_in_row = 0;
  host.row.last_seen_at = wall;
  if (!host.provider) return false;
  host.row.last_error.clear();
  return set_reach(host, Reachability::reachable, wall);
}

bool HostDirectory::refused(ManagedHost& host, base::Nanos wall) {
  if (++host.refusals_in_row < kRefusalsMax) return false;
  host.row.last_error = "the host refuses connections";
  return set_reach(host, Reachability::unreachable, wall);
}

bool HostDirectory::age(ManagedHost& host, base::Nanos now, base::Nanos wall, base::Nanos suspect,
                        base::Nanos unreachable) {
  const base::Nanos silent = now - host.contact;
  if (silent > unreachable) {
    if (host.row.last_error.empty()) host.row.last_error = "the host does not answer";
    return set_reach(host, Reachability::unreachable, wall);
  }
  if (silent > suspect && host.row.reach_state == Reachability::reachable)
    return set_reach(host, Reachability::suspect, wall);
  return false;
}

bool HostDirectory::reachable(std::string_view host_id) const noexcept {
  if (unreachable_count_.load(std::memory_order_relaxed) == 0) return true;
  const std::lock_guard lock(ids_mutex_);
  return !unreachable_.contains(host_id);
}

bool HostDirectory::known(std::string_view host_id) const noexcept {
  const std::lock_guard lock(ids_mutex_);
  return known_.contains(host_id);
}

}  // namespace fusebox::fleet
