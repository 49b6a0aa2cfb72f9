#include "fleet/schedule/host_index.h"

#include <algorithm>
#include <utility>

#include "fleet/schedule/gates.h"
#include "fleet/schedule/gpu.h"

namespace fusebox::fleet::schedule {
namespace {

// Up to here every holder of an image is asked; with more of them a line meets one within a few steps.
constexpr std::size_t kHoldersAskedMax = 64;

// Every environment needs a processor, memory and a place, so this host serves none.
bool is_full(const HostView& host) noexcept {
  const HostCapacity& all = host.capacity;
  const HostReserved& used = host.reserved;
  return all.cpus <= used.cpus || all.ram_mb <= used.ram_mb || all.vm_count <= used.vm_count;
}

bool may_stand_in_line(const HostView& host) noexcept {
  return host.state == HostState::active && host.reachability != Reachability::unreachable && !is_full(host);
}

// A host with a lower score has too few processors or too little memory.
std::int64_t least_score(const Demand& demand) noexcept {
  return score_of_free(demand.cpus, demand.ram_mb);
}

}  // namespace

HostIndex::Slot* HostIndex::slot(std::string_view id) const noexcept {
  const auto found = hosts_.find(id);
  return found == hosts_.end() ? nullptr : found->second.get();
}

const HostView* HostIndex::find(std::string_view id) const noexcept {
  const Slot* const found = slot(id);
  return found != nullptr ? &found->host : nullptr;
}

std::int64_t HostIndex::order_of(const HostView& host) const noexcept {
  return policy_ == PlacementPolicy::spread ? -score_of(host) : score_of(host);
}

void HostIndex::count(const HostView& host, std::ptrdiff_t by) {
  if (host.state != HostState::active) return;
  schedulable_ += static_cast<std::size_t>(by);
  if (serves_gpus(host)) gpu_hosts_ += static_cast<std::size_t>(by);
}

void HostIndex::enter(Slot& slot) {
  const HostView& host = slot.host;
  count(host, 1);
  for (const std::string& image : host.images) image_holders_[image].insert(&host);
  const Class kind = host.reachability == Reachability::suspect ? Class::suspect
                     : serves_gpus(host)                        ? Class::gpu
                                                                : Class::plain;
  slot.line = &lines_[LineKey(kind, backend_or_default(host.backend), arch_or_default(host.arch), host.region)];
  ++slot.line->members;
  reorder(slot);
}

void HostIndex::leave(Slot& slot) {
  count(slot.host, -1);
  for (const std::string& image : slot.host.images) {
    const auto holders = image_holders_.find(image);
    holders->second.erase(&slot.host);
    if (holders->second.empty()) image_holders_.erase(holders);
  }
  if (slot.in_line) slot.line->hosts.erase(slot.entry);
  slot.in_line = false;
  if (--slot.line->members == 0) std::erase_if(lines_, [&](const auto& line) { return &line.second == slot.line; });
}

void HostIndex::reorder(Slot& slot) {
  const bool belongs = may_stand_in_line(slot.host);
  const Entry now{order_of(slot.host), slot.host.id, &slot.host};
  if (slot.in_line && belongs) {
    auto node = slot.line->hosts.extract(slot.entry);
    node.value() = now;
    slot.line->hosts.insert(std::move(node));
  } else if (slot.in_line) {
    slot.line->hosts.erase(slot.entry);
  } else if (belongs) {
    slot.line->hosts.insert(now);
  }
  slot.entry = now;
  slot.in_line = belongs;
}

void HostIndex::upsert(HostView host) {
  if (Slot* const known = slot(host.id)) {
    leave(*known);
    known->host = std::move(host);
    enter(*known);
    return;
  }
  auto made = std::make_unique<Slot>();
  made->host = std::move(host);
  enter(*made);
  hosts_.emplace(made->host.id, std::move(made));
}

bool HostIndex::remove(std::string_view id) {
  const auto found = hosts_.find(id);
  if (found == hosts_.end()) return false;
  leave(*found->second);
  hosts_.erase(found);
  return true;
}

base::Result<void> HostIndex::reserve(std::string_view host_id, const Reservation& taken) {
  Slot* const found = slot(host_id);
  if (found == nullptr) return base::fail(base::Errc::not_found, "host not found: " + std::string(host_id));
  schedule::reserve(found->host.reserved, taken);
  reorder(*found);
  return {};
}

base::Result<void> HostIndex::release(std::string_view host_id, const Reservation& taken) {
  Slot* const found = slot(host_id);
  if (found == nullptr) return base::fail(base::Errc::not_found, "host not found: " + std::string(host_id));
  schedule::release(found->host.reserved, taken);
  reorder(*found);
  return {};
}

// `host` passes every gate.
void HostIndex::consider(const HostView& host, const Demand& demand, Found& best) const {
  const Rank rank = rank_of(host, demand);
  if (best.host == nullptr || better(rank, host.id, best.rank, best.host->id, policy_)) best = {&host, rank};
}

HostIndex::Found HostIndex::best_preferred(const Demand& demand,
                                           const std::unordered_set<const HostView*>* image_holders) const {
  Found best;
  const auto ask = [&](const HostView* host) {
    if (host != nullptr && failed_gate(*host, demand) == Gate::none) consider(*host, demand, best);
  };
  if (demand.has_seed) {
    for (const std::string& id : demand.seed.holders) ask(find(id));
  }
  if (image_holders != nullptr) {
    for (const HostView* host : *image_holders) ask(host);
  }
  return best;
}

void HostIndex::walk(const Line& line, const Demand& demand, bool prefer_image, Found& best) const {
  if (line.hosts.empty()) return;
  // Asked of the first alone: these gates say the same of every host in the line.
  const Gate first = failed_gate(*line.hosts.begin()->host, demand);
  if (first == Gate::region || first == Gate::arch || first == Gate::backend) return;
  const std::int64_t least = least_score(demand);
  const bool spread = policy_ == PlacementPolicy::spread;
  auto at = spread ? line.hosts.begin() : line.hosts.lower_bound(Entry{least, {}, nullptr});
  bool found = false;
  for (; at != line.hosts.end(); ++at) {
    if (spread && -at->order < least) return;
    const bool holds_image = prefer_image && at->host->images.contains(demand.image);
    if (found && !holds_image) continue;
    if (failed_gate(*at->host, demand) != Gate::none) continue;
    consider(*at->host, demand, best);
    if (!prefer_image || holds_image) return;
    found = true;
  }
}

Placement HostIndex::place(const Demand& demand) const {
  if (!demand.host_pin.empty()) {
    const HostView* const pinned = find(demand.host_pin);
    if (pinned == nullptr) return unknown_pin(demand);
    return place_pinned(*pinned, demand);
  }
  if (hosts_.empty() && demand.gpus <= 0 && demand.labels.empty()) return DefaultProvider{};

  const auto holders = demand.image.empty() ? image_holders_.end() : image_holders_.find(demand.image);
  const bool any_holder = holders != image_holders_.end();
  const bool many = any_holder && holders->second.size() > kHoldersAskedMax;
  const Found preferred = best_preferred(demand, any_holder && !many ? &holders->second : nullptr);
  // Without GPUs asked the classes are the tiers; with GPUs, plain hosts pass no gate and GPU hosts are tier 0.
  for (const Class kind : {Class::plain, Class::gpu, Class::suspect}) {
    const int tier = kind == Class::suspect ? 2 : demand.gpus > 0 ? 0 : static_cast<int>(kind);
    Found best;
    if (preferred.host != nullptr && preferred.rank.tier == tier) {
      return bind(*preferred.host, demand);  // nothing else of its tier is preferred to it
    }
    for (auto line = lines_.lower_bound(LineKey(kind, "", "", "")); line != lines_.end(); ++line) {
      if (std::get<0>(line->first) != kind) break;
      walk(line->second, demand, many, best);
    }
    if (best.host != nullptr) return bind(*best.host, demand);
  }
  return refusal(demand);
}

Refusal HostIndex::refusal(const Demand& demand) const {
  FleetCounts counts{hosts_.size(), schedulable_, gpu_hosts_, 0, 0};
  const auto count_active = [&](const auto& matches) {
    return static_cast<std::size_t>(std::ranges::count_if(hosts_, [&](const auto& entry) {
      const HostView& host = entry.second->host;
      return host.state == HostState::active && matches(host);
    }));
  };
  if (!demand.labels.empty())
    counts.label_matches = count_active([&](const HostView& host) { return labels_match(host.labels, demand.labels); });
  if (!demand.image.empty())
    counts.image_matches = count_active([&](const HostView& host) { return may_have_image(host, demand.image); });
  return refusal_for(demand, counts);
}

std::vector<Explanation> HostIndex::explain(const Demand& demand) const {
  const Placement placement = place(demand);
  const Placed* const placed = std::get_if<Placed>(&placement);
  std::vector<Explanation> lines;
  lines.reserve(hosts_.size());
  for (const auto& [id, slot] : hosts_) lines.push_back(explain_one(slot->host, demand, placed));
  std::ranges::sort(lines, {}, &Explanation::host_id);
  return lines;
}

}  // namespace fusebox::fleet::schedule
