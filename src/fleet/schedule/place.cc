#include "fleet/schedule/place.h"

#include <algorithm>
#include <utility>

#include "fleet/schedule/gpu.h"

namespace fusebox::fleet::schedule {
namespace {

constexpr std::int64_t kCpuWeight = 10000;
constexpr std::int64_t kFreeMax = std::int64_t{1} << 40;  // above any machine; keeps the score inside 64 bits
constexpr std::string_view kNoCapacity = "no host has sufficient capacity: ";

std::int64_t free_of(std::int64_t capacity, std::int64_t reserved) noexcept {
  return std::clamp<std::int64_t>(capacity, 0, kFreeMax) - std::clamp<std::int64_t>(reserved, 0, kFreeMax);
}

// A seed adds where the environment comes from.
Refusal refused(const Demand& demand, std::string text) {
  if (!demand.has_seed) return {503, std::move(text)};
  return {503, std::string(kNoCapacity) + "no host can take an environment seeded from this artifact: seeded from " +
                   demand.seed.text + ": " + text};
}

FleetCounts count(std::span<const HostView> hosts, const Demand& demand) {
  FleetCounts counts;
  counts.hosts = hosts.size();
  for (const HostView& host : hosts) {
    if (host.state != HostState::active) continue;
    ++counts.schedulable;
    if (serves_gpus(host)) ++counts.gpu_hosts;
    if (labels_match(host.labels, demand.labels)) ++counts.label_matches;
    if (may_have_image(host, demand.image)) ++counts.image_matches;
  }
  return counts;
}

std::string schedulable_text(std::size_t count) {
  return "none of " + std::to_string(count) + " schedulable hosts";
}

}  // namespace

std::int64_t score_of_free(std::int64_t cpus, std::int64_t ram_mb) noexcept {
  return free_of(cpus, 0) * kCpuWeight + free_of(ram_mb, 0);
}

std::int64_t score_of(const HostView& host) noexcept {
  return free_of(host.capacity.cpus, host.reserved.cpus) * kCpuWeight +
         free_of(host.capacity.ram_mb, host.reserved.ram_mb);
}

Rank rank_of(const HostView& host, const Demand& demand) {
  Rank rank;
  if (host.reachability == Reachability::suspect) {
    rank.tier = 2;
  } else if (demand.gpus <= 0 && serves_gpus(host)) {
    rank.tier = 1;
  }
  rank.holds_seed = demand.has_seed && demand.seed.holders.contains(host.id);
  rank.holds_image = !demand.image.empty() && host.images.contains(demand.image);
  rank.score = score_of(host);
  return rank;
}

bool better(const Rank& a, std::string_view a_id, const Rank& b, std::string_view b_id,
            PlacementPolicy policy) noexcept {
  if (a.tier != b.tier) return a.tier < b.tier;
  if (a.holds_seed != b.holds_seed) return a.holds_seed;
  if (a.holds_image != b.holds_image) return a.holds_image;
  if (a.score != b.score) return (policy == PlacementPolicy::spread) == (a.score > b.score);
  return a_id < b_id;
}

Refusal unknown_pin(const Demand& demand) {
  return {404, "spec.host_id: host \"" + demand.host_pin + "\" is not registered"};
}

Placed bind(const HostView& host, const Demand& demand) {
  const std::optional<GpuChoice> choice = choose_gpus(host, demand);
  if (!choice) return {host.id, {}, {}};
  return {host.id, choice->gpu_uuids, choice->mig_instance_uuids};
}

Placement place_pinned(const HostView& host, const Demand& demand) {
  const Gate gate = failed_gate(host, demand);
  if (gate == Gate::none) return bind(host, demand);
  return refused(demand, "pinned host cannot take this environment: host \"" + host.id + "\" " +
                             rejection_text(host, demand, gate));
}

Refusal refusal_for(const Demand& demand, const FleetCounts& counts) {
  const std::string none(kNoCapacity);
  if (counts.hosts == 0 && demand.gpus > 0) {
    return refused(demand, none + "gpu workloads require a registered gpu host");
  }
  if (counts.hosts == 0) return refused(demand, "no hosts registered: placement requires registered hosts");
  if (!demand.labels.empty() && counts.label_matches == 0) {
    return refused(demand, "no host matches the requested placement labels: " + labels_text(demand.labels) +
                               " matched " + schedulable_text(counts.schedulable));
  }
  if (demand.gpus > 0 && counts.gpu_hosts == 0) {
    return refused(
        demand, none + "need " + gpu_text(demand) + ", and " + schedulable_text(counts.schedulable) + " serves gpus");
  }
  if (!demand.image.empty() && counts.schedulable > 0 && counts.image_matches == 0) {
    return refused(demand, none + "image \"" + demand.image + "\" is on " + schedulable_text(counts.schedulable));
  }
  return refused(demand, none + "need " + size_text(demand) + ", no eligible host fits");
}

Placement place(std::span<const HostView> hosts, const Demand& demand, PlacementPolicy policy) {
  if (!demand.host_pin.empty()) {
    const auto pinned = std::ranges::find(hosts, demand.host_pin, &HostView::id);
    if (pinned == hosts.end()) return unknown_pin(demand);
    return place_pinned(*pinned, demand);
  }
  if (hosts.empty() && demand.gpus <= 0 && demand.labels.empty()) return DefaultProvider{};
  const HostView* best = nullptr;
  Rank best_rank;
  for (const HostView& host : hosts) {
    if (failed_gate(host, demand) != Gate::none) continue;
    const Rank rank = rank_of(host, demand);
    if (best != nullptr && !better(rank, host.id, best_rank, best->id, policy)) continue;
    best = &host;
    best_rank = rank;
  }
  if (best != nullptr) return bind(*best, demand);
  return refusal_for(demand, count(hosts, demand));
}

std::string Explanation::text() const {
  std::string out = "host \"" + host_id + "\" ";
  if (!rejection.empty()) return out + rejection;
  out += "can take it: score " + std::to_string(rank.score) + ", tier " + std::to_string(rank.tier);
  if (rank.holds_seed) out += ", holds the seed";
  if (rank.holds_image) out += ", holds the image";
  if (chosen) out += ", chosen";
  return out;
}

Explanation explain_one(const HostView& host, const Demand& demand, const Placed* placed) {
  Explanation line;
  line.host_id = host.id;
  const Gate gate = failed_gate(host, demand);
  line.rejection = rejection_text(host, demand, gate);
  if (gate == Gate::none) line.rank = rank_of(host, demand);
  if (line.rejection.empty() && !demand.host_pin.empty() && demand.host_pin != host.id) {
    line.rejection = "is not the pinned host \"" + demand.host_pin + "\"";
  }
  line.chosen = placed != nullptr && placed->host_id == host.id;
  return line;
}

std::vector<Explanation> explain(std::span<const HostView> hosts, const Demand& demand, PlacementPolicy policy) {
  const Placement placement = place(hosts, demand, policy);
  const Placed* const placed = std::get_if<Placed>(&placement);
  std::vector<Explanation> lines;
  lines.reserve(hosts.size());
  for (const HostView& host : hosts) lines.push_back(explain_one(host, demand, placed));
  return lines;
}

}  // namespace fusebox::fleet::schedule
