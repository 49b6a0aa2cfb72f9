// The passes over what hosts keep: build layers nobody uses, bytes nobody can name any more.
#include <algorithm>
#include <set>

#include "fleet/engine/reconcile.h"
#include "fleet/engine/snapshots.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kLayersMax = 10'000;  // looked at in one tick
constexpr std::uint32_t kLeaksMax = 10'000;   // the same; more would hide behind hosts that cannot delete
constexpr base::Nanos kDeleteLimit{seconds{60}};
constexpr std::size_t kDeletesAtOnce = 8;  // contract 13, per host

// Snapshots that environments were made from, and their copies on other hosts.
struct SeedsInUse {
  std::set<std::string, std::less<>> ids, digests;
  bool contains(const SnapshotRow& layer) const {
    return ids.contains(layer.snapshot_id) || digests.contains(layer.digest);
  }
};

}  // namespace

base::Task<void> Reconciler::layers() {
  const base::Nanos at = core_.wall();
  const base::Nanos ttl = core_.parts.options.artifact_idle_ttl;
  const std::int64_t most = core_.parts.options.artifact_max_per_tenant;
  if (ttl.count() <= 0 && most <= 0) co_return;
  SnapshotFilter filter;
  filter.mode = "build";
  filter.state = "ready";
  auto rows = co_await core_.get<std::vector<SnapshotRow>>(
      [&](Reader& reader) { return reader.snapshots(filter, {}, kLayersMax); });
  if (!rows) co_return;
  // The most recently used first, so that what is above the bound comes last.
  std::ranges::stable_sort(*rows, std::greater<>{}, &SnapshotRow::last_used_at);
  std::map<std::string, std::int64_t> kept;
  std::vector<SnapshotRow> unwanted;
  for (const SnapshotRow& layer : *rows) {
    if (layer.layer_key.empty()) continue;
    const bool idle = ttl.count() > 0 && at - layer.last_used_at > ttl;
    const bool surplus = most > 0 && ++kept[layer.tenant_id] > most;
    if ((idle || surplus) && at - layer.last_used_at >= kRecentlyUsed) unwanted.push_back(layer);
  }
  if (unwanted.empty()) co_return;
  auto seeds = co_await core_.get<std::vector<std::string>>([](Reader& reader) { return reader.seeds_in_use(); });
  if (!seeds) co_return;
  SeedsInUse in_use;
  in_use.ids.insert(seeds->begin(), seeds->end());
  for (const SnapshotRow& layer : *rows)
    if (!layer.digest.empty() && in_use.ids.contains(layer.snapshot_id)) in_use.digests.insert(layer.digest);
  HostPlaces places(core_.parts.executor, kDeletesAtOnce);
  base::TaskScope scope(core_.parts.executor);
  for (SnapshotRow& layer : unwanted) {
    if (in_use.contains(layer) || !core_.hosts.reachable(layer.host_id)) continue;
    scope.spawn(collect_layer(places, std::move(layer), at));
  }
  co_await scope.all_ended();
}

base::Task<void> Reconciler::collect_layer(HostPlaces& places, SnapshotRow layer, base::Nanos at) {
  const auto place = co_await places.of(layer.host_id).take();
  if (!leads() || places.given_up(layer.host_id)) co_return;
  const std::string id = layer.snapshot_id;
  auto children = co_await core_.get<std::uint64_t>([&](Reader& reader) { return reader.count_children(id); });
  if (!children || *children > 0) co_return;
  const base::Nanos judged = layer.last_used_at;
  layer.state = SnapshotState::deleting;
  layer.updated_at = at;
  auto recorded = co_await core_.commit("artifact_gc_recorded", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(const auto now, tx.snapshot(id));
    if (!now || now->last_used_at != judged) return base::fail(base::Errc::stale, "it was used meanwhile");
    tx.update_snapshot(layer, SnapshotState::ready);
    return {};
  });
  if (!recorded) co_return;
  const std::string host_id = layer.host_id;
  const auto deleted = co_await run_snapshot_deletion(core_, std::move(layer), "artifact.gc_deleted");
  if (!deleted) places.give_up(host_id);
}

base::Task<void> Reconciler::leaks() {
  auto rows = co_await core_.get<std::vector<LeakedArtifactRow>>(
      [](Reader& reader) { return reader.leaked_artifacts(kLeaksMax); });
  if (!rows) co_return;
  std::map<std::string, std::vector<LeakedArtifactRow>, std::less<>> by_host;
  for (LeakedArtifactRow& leak : *rows) by_host[leak.host_id].push_back(std::move(leak));
  base::TaskScope scope(core_.parts.executor);
  for (auto& [host_id, leaks] : by_host) scope.spawn(leaks_of(std::move(leaks)));
  co_await scope.all_ended();
}

// A host that failed once is left alone until the next tick.
base::Task<void> Reconciler::leaks_of(std::vector<LeakedArtifactRow> leaks) {
  for (const LeakedArtifactRow& leak : leaks) {
    const auto host = core_.hosts.find(leak.host_id);
    if (!leads() || !host || !host->provider || !host->features.contains("store-delete")) co_return;
    if (!core_.hosts.reachable(leak.host_id)) co_return;
    const Place place{host->provider.get(), host->provider, host};
    host::CallContext context;
    context.limit = kDeleteLimit;
    auto deleted = co_await place.provider->delete_snapshot(context, {}, leak.snapshot_id);
    core_.heard(place, deleted);
    if (!deleted && deleted.error().code != base::Errc::not_found) co_return;
    const auto noted = co_await core_.commit("leak_closed", [&](Tx& tx) -> base::Result<void> {
      tx.delete_leaked_artifact(leak.host_id, leak.snapshot_id);
      return {};
    });
    if (!noted) core_.log(base::LogLevel::warn, "leak not closed", {{"snapshot_id", leak.snapshot_id}});
  }
}

}  // namespace fusebox::fleet
