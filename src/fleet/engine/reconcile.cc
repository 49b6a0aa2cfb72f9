#include "fleet/engine/reconcile.h"

#include <algorithm>

#include "fleet/engine/evict.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/host_ops.h"
#include "fleet/engine/rearm.h"
#include "fleet/engine/recovery.h"
#include "fleet/engine/removal.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kListLimit{seconds{10}};
constexpr base::Nanos kDeleteLimit{seconds{60}};
constexpr std::size_t kDeletesAtOnce = 8;  // contract 13
constexpr std::size_t kRearmsAtOnce = 8;   // of one host that was started again with all it has
constexpr std::uint32_t kPage = 200;
constexpr base::Nanos kRetryFirst{seconds{5}};  // contract 13 pass 8: 5 s .. 5 min
constexpr base::Nanos kRetryLast{std::chrono::minutes{5}};
constexpr base::Nanos kDeadLetterPause{std::chrono::hours{1}};

base::Nanos backoff(std::int32_t failures) {
  return std::min(kRetryLast, kRetryFirst * (std::int64_t{1} << std::min(failures, 8)));
}

}  // namespace

host::CallContext Reconciler::quick() const {
  host::CallContext context;
  context.limit = kListLimit;
  return context;
}

std::vector<std::shared_ptr<Lane>> Reconciler::lanes() {
  std::set<std::pair<std::string, std::string>> wanted;
  for (const std::string& backend : core_.parts.providers.local_backends()) wanted.emplace(std::string(), backend);
  for (const auto& host : core_.hosts.all()) wanted.emplace(host->row.host_id, host->row.backend);
  std::erase_if(lanes_, [&](const auto& lane) { return !wanted.contains(lane.first) && !lane.second->busy; });
  std::vector<std::shared_ptr<Lane>> all;
  for (const auto& key : wanted) {
    std::shared_ptr<Lane>& lane = lanes_[key];
    if (!lane) {
      lane = std::make_shared<Lane>();
      lane->host_id = key.first;
      lane->backend = key.second;
    }
    all.push_back(lane);
  }
  return all;
}

base::Task<void> Reconciler::run() {
  base::Nanos next_tick = core_.now();
  base::Nanos next_poll = core_.now();
  base::Nanos next_load = core_.now();
  while (!core_.closing) {
    const bool leads = core_.parts.store.is_leader();
    if (leads != led_) {
      led_ = leads;
      next_poll = core_.now();
      if (leads) next_tick = core_.now();
      co_await lead();
    }
    if (leads && core_.now() >= next_tick) {
      next_tick = core_.now() + core_.parts.options.reconcile_interval;
      core_.jobs.spawn(tick());
    }
    if (core_.now() >= next_poll) {
      next_poll = core_.now() + core_.parts.options.host_poll;
      core_.jobs.spawn(ask_default_agents(core_));
      if (leads && !std::exchange(poll_.busy, true)) core_.jobs.spawn(run_pass(poll_));
    }
    if (leads) {
      const auto taken = co_await take_over(core_, TakeOver::expired);
      if (!taken) core_.log(base::LogLevel::warn, "leases not looked at", {{"error", taken.error().message}});
      age_hosts(core_);
    }
    // What other replicas did to hosts is in their rows.
    if (core_.parts.store.replicated() && core_.now() >= next_load) {
      next_load = core_.now() + core_.parts.options.host_poll / 2;
      (void)co_await load_hosts(core_);
    }
    co_await core_.pause(seconds{1});
  }
}

base::Task<void> Reconciler::lead() {
  core_.parts.meters.leader(led_);
  if (led_) {
    resealed_ = false;  // others may have written under a former key
    // Only the leader asks hosts: by its own silence until now, none is judged.
    for (const auto& host : core_.hosts.all()) host->contact = core_.now();
  }
  const base::Nanos at = core_.wall();
  const std::string replica = core_.parts.options.replica_id;
  const std::string_view event = led_ ? "leader.acquired" : "leader.lost";
  const auto told = co_await core_.commit("leader", [&](Tx& tx) -> base::Result<void> {
    tx.add_event(event_of("replica", replica, event, at));
    return {};
  });
  if (!told) core_.log(base::LogLevel::warn, "change of leader not recorded");
}

base::Task<void> Reconciler::poll() {
  base::TaskScope scope(core_.parts.executor);
  for (const auto& host : core_.hosts.all()) scope.spawn(poll_host(core_, host));
  co_await scope.all_ended();
}

base::Task<void> Reconciler::run_pass(Pass& pass) {
  co_await (this->*pass.work)();
  pass.busy = false;
}

base::Task<void> Reconciler::tick() {
  const base::Nanos began = core_.now();
  tracked_ = listed_ = 0;
  base::TaskScope scope(core_.parts.executor);
  for (const auto& one : lanes()) {
    if (one->busy) continue;
    one->busy = true;
    scope.spawn(lane(one));
  }
  for (const auto& host : core_.hosts.all())
    if (is_evicting(host->row)) core_.jobs.spawn(evict(core_, host->row.host_id));
  for (Pass& pass : passes_)
    if (!std::exchange(pass.busy, true)) scope.spawn(run_pass(pass));
  if (!std::exchange(resealed_, true)) scope.spawn(reseal());
  // What is behind takes many ticks; their length is not a tick's.
  if (!std::exchange(retention_.busy, true)) core_.jobs.spawn(run_pass(retention_));
  co_await scope.all_ended();
  core_.parts.meters.fleet(tracked_, listed_);
  core_.parts.meters.count(EngineMeters::Count::cycles);
  core_.parts.meters.reconcile_took(std::chrono::duration<double>(core_.now() - began).count());
}

base::Task<void> Reconciler::lane(std::shared_ptr<Lane> lane) {
  auto place = core_.place_of(lane->host_id, lane->backend);
  if (place) {
    const base::Nanos list_began = core_.wall();
    auto listed = co_await place->provider->list(quick(), core_.parts.options.vm_prefix);
    core_.heard(*place, listed);
    if (listed && core_.hosts.reachable(lane->host_id)) {
      listed_ += listed->size();
      Names names;
      for (const host::VmRecord& record : *listed) names.insert(record.vm_id);
      const BootIds known = co_await missing(*lane, names, list_began);
      co_await orphans(*lane, *listed, known);
      co_await rebooted(*lane, *listed, known);
      co_await destroying(*lane, names, list_began);
    } else if (!listed) {
      core_.parts.meters.host_failed(lane->host_id);
    }
  }
  lane->busy = false;
}

base::Task<Reconciler::BootIds> Reconciler::missing(Lane& lane, const Names& listed, base::Nanos list_began) {
  BootIds known;
  base::Places places(core_.parts.executor, kDeletesAtOnce);
  base::TaskScope scope(core_.parts.executor);
  EnvironmentFilter filter;
  filter.host_id = lane.host_id;
  std::string after;
  while (leads()) {
    auto rows = co_await core_.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments(filter, after, kPage); });
    if (!rows || rows->empty()) break;
    after = rows->back().vm_id;
    for (EnvironmentRow& row : *rows) {
      known.emplace(row.host_vm_name, row.boot_id);
      if (lane.host_id.empty() && row.backend != lane.backend) continue;
      ++tracked_;
      if (row.state != EnvironmentState::running && row.state != EnvironmentState::draining) continue;
      const bool present = listed.contains(row.host_vm_name);
      if (present && row.missing_seen_at.count() == 0) continue;
      if (!present && list_began <= row.state_changed_at) continue;
      scope.spawn(missing_row(lane, places, std::move(row), present, list_began));
    }
  }
  co_await scope.all_ended();
  co_return known;
}

// Absent from two lists in a row that began after its last change; then asked for by name.
base::Task<void> Reconciler::missing_row(Lane& lane, base::Places& places, EnvironmentRow row, bool present,
                                         base::Nanos list_began) {
  const auto place = co_await places.take();
  if (!leads()) co_return;
  const bool again = !present && row.missing_seen_at.count() != 0 && row.missing_seen_at > row.state_changed_at;
  if (again) {
    co_await confirm_missing(lane, std::move(row));
    co_return;
  }
  const base::Nanos seen = present ? base::Nanos{0} : list_began;
  const auto noted = co_await core_.commit("missing_seen", [&](Tx& tx) -> base::Result<void> {
    tx.set_strikes(row.vm_id, row.generation, row.stuck_strikes, row.idle_strikes, seen);
    return {};
  });
  if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
}

base::Task<void> Reconciler::confirm_missing(Lane& lane, EnvironmentRow row) {
  auto place = core_.place_of(lane.host_id, lane.backend);
  if (!place) co_return;
  if (lane.backend == "stub" && lane.host_id.empty()) {
    // The stub keeps books and nothing else: after a restart of this process it takes up what the rows say.
    host::CreateSpec spec;
    spec.name = row.host_vm_name;
    spec.cpus = row.cpus;
    spec.memory_mb = row.ram_mb;
    (void)co_await place->provider->create(core_.context(row, nullptr, kListLimit), std::move(spec));
    co_return;
  }
  auto there = co_await place->provider->get(quick(), row.host_vm_name);
  core_.heard(*place, there);
  if (there || there.error().code != base::Errc::not_found) co_return;
  const std::string vm_id = row.vm_id;
  const RequestInfo nobody;
  auto removal =
      co_await begin_removal(core_, std::move(row), RemovalReason("missing", "vm missing from provider"), nobody);
  if (!removal) co_return;  // it has changed since: judged again at the next tick
  core_.parts.meters.count(EngineMeters::Count::vms_missing);
  core_.log(base::LogLevel::warn, "environment is missing on its host", {{"vm_id", vm_id}});
  (void)co_await run_removal(core_, std::move(*removal));
}

base::Task<void> Reconciler::orphans(Lane& lane, const std::vector<host::VmRecord>& listed, const BootIds& known) {
  Names unknown;
  base::Places places(core_.parts.executor, kDeletesAtOnce);
  base::TaskScope scope(core_.parts.executor);
  const auto one = [](Reconciler& self, base::Places& from, Lane& of, host::VmRecord record) -> base::Task<void> {
    const auto place = co_await from.take();
    if (self.leads()) co_await self.orphan(of, std::move(record));
  };
  for (const host::VmRecord& record : listed) {
    if (known.contains(record.vm_id)) continue;
    const std::string name = record.vm_id;
    const std::string host_id = lane.host_id;
    auto row = co_await core_.get<std::optional<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environment_on_host(host_id, name); });
    if (!row || *row || (host_id.empty() && core_.names.under_way(name))) continue;
    unknown.insert(name);
    scope.spawn(one(*this, places, lane, record));
  }
  co_await scope.all_ended();
  std::erase_if(lane.orphans, [&](const auto& entry) { return !unknown.contains(entry.first); });
}

base::Task<void> Reconciler::orphan(Lane& lane, host::VmRecord record) {
  const auto [found, first] = lane.orphans.try_emplace(record.vm_id);
  Lane::Orphan& orphan = found->second;
  const base::Nanos at = core_.wall();
  if (first) {
    orphan.first_seen = core_.now();
    const auto told = co_await core_.commit("orphan_suspected", [&](Tx& tx) -> base::Result<void> {
      tx.add_event(event_of("vm", record.vm_id, "vm.orphan_suspected", at));
      return {};
    });
    if (!told) core_.log(base::LogLevel::warn, "event not recorded", {{"vm_id", record.vm_id}});
    co_return;
  }
  if (core_.now() - orphan.first_seen < core_.parts.options.orphan_grace || core_.now() < orphan.next_try) co_return;
  if (!record.fleet_id.empty() && record.fleet_id != core_.parts.options.fleet_id) co_return;  // somebody else's
  const std::string host_id = lane.host_id;
  const std::string name = record.vm_id;
  auto stone =
      co_await core_.get<std::optional<TombstoneRow>>([&](Reader& reader) { return reader.tombstone(host_id, name); });
  if (!stone) co_return;
  auto place = core_.place_of(lane.host_id, lane.backend);
  if (!place) co_return;
  // What a provider of this process has without a row is of a create that a crash cut short.
  if (!*stone && core_.parts.options.keep_unknown_vms && place->remote() != nullptr) co_return;
  const std::uint64_t generation = std::max(record.generation, *stone ? (*stone)->generation : 0);
  // The row is looked up once more inside the transaction that records the deletion.
  auto recorded = co_await core_.commit("orphan_recorded", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(const auto row, tx.environment_on_host(host_id, name));
    if (row) return base::fail(base::Errc::stale, "it has a row by now");
    tx.put_tombstone({.host_id = host_id,
                      .host_vm_name = name,
                      .vm_id = name,
                      .reason = "orphan",
                      .generation = generation,
                      .removed_at = at});
    return {};
  });
  if (!recorded) co_return;
  host::CallContext context;
  context.limit = kDeleteLimit;
  context.generation =
      generation;  // a new environment of this name has a higher one: it stays, however late this comes
  auto deleted = co_await place->provider->destroy(context, name);
  core_.heard(*place, deleted);
  if (deleted || deleted.error().code == base::Errc::not_found) {
    core_.parts.meters.count(EngineMeters::Count::orphans_destroyed);
    core_.log(base::LogLevel::warn, "orphan destroyed", {{"vm_id", name}, {"host_id", host_id}});
    co_return;
  }
  core_.parts.meters.count(EngineMeters::Count::orphans_failed);
  orphan.next_try = core_.now() + backoff(orphan.failures);
  if (++orphan.failures < core_.parts.options.orphan_retries) co_return;
  orphan.next_try = core_.now() + kDeadLetterPause;
  if (std::exchange(orphan.dead_lettered, true)) co_return;
  core_.parts.meters.count(EngineMeters::Count::orphans_dead_lettered);
  const std::string reason = deleted.error().message;
  const std::int32_t failures = orphan.failures;
  const auto told = co_await core_.commit("orphan_dead_lettered", [&](Tx& tx) -> base::Result<void> {
    tx.put_dead_letter({.kind = "orphan_destroy",
                        .entity_id = name,
                        .task_id = {},
                        .reason = reason,
                        .payload_json = reason_json(host_id),
                        .retry_count = failures,
                        .first_seen_at = at,
                        .last_seen_at = at});
    tx.add_event(event_of("vm", name, "vm.orphan_dead_lettered", at));
    return {};
  });
  if (!told) core_.log(base::LogLevel::warn, "dead letter not recorded", {{"vm_id", name}});
}

// Another boot id than the row's: what was in the guest's memory is gone (9.5).
base::Task<void> Reconciler::rebooted(Lane& lane, const std::vector<host::VmRecord>& listed, const BootIds& known) {
  base::Places places(core_.parts.executor, kRearmsAtOnce);
  base::TaskScope scope(core_.parts.executor);
  for (const host::VmRecord& record : listed) {
    const auto row = known.find(record.vm_id);
    if (record.boot_id.empty() || row == known.end() || row->second == record.boot_id) continue;
    scope.spawn(rebooted_one(lane, places, record.vm_id, record.boot_id));
  }
  co_await scope.all_ended();
}

base::Task<void> Reconciler::rebooted_one(Lane& lane, base::Places& places, std::string name, std::string boot_id) {
  const auto turn = co_await places.take();
  if (!leads()) co_return;
  const std::string host_id = lane.host_id;
  auto found = co_await core_.get<std::optional<EnvironmentRow>>(
      [&](Reader& reader) { return reader.environment_on_host(host_id, name); });
  if (!found || !*found) co_return;
  EnvironmentRow row = std::move(**found);
  if (row.state != EnvironmentState::running || !row.op_id.empty()) co_return;
  if (row.boot_id == boot_id) co_return;
  bool lost = false;
  if (!row.boot_id.empty()) {
    lost = true;
    auto place = core_.place_of(row);
    if (place && guest_kind(row.backend).agent) {
      const std::optional<bool> armed = co_await is_armed(row, *place);
      if (!armed) co_return;  // asked again at the next tick: the row keeps the old boot id
      lost = !*armed;
    }
  }
  if (lost) {
    auto armed = co_await rearm(core_, row, "reboot");
    if (!armed) {
      core_.log(base::LogLevel::warn, "guest could not be armed again",
                {{"vm_id", row.vm_id}, {"error", armed.error().message}});
      co_return;  // tried again at the next tick
    }
  }
  const auto noted = co_await core_.commit("boot_seen", [&](Tx& tx) -> base::Result<void> {
    // As it is now: what was written meanwhile, such as its health, is in its view.
    FB_TRY(auto now, tx.environment(row.vm_id));
    if (!now || now->generation != row.generation) return base::fail(base::Errc::stale, "the row has moved on");
    now->boot_id = boot_id;
    now->updated_at = core_.wall();
    refresh_view(*now);
    tx.update_environment(*now, row.generation);
    if (lost) tx.add_event(vm_event(row, "vm.guest_rebooted", now->updated_at));
    return {};
  });
  if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
}

base::Task<void> Reconciler::destroying(Lane& lane, const Names& listed, base::Nanos list_began) {
  base::Places places(core_.parts.executor, kDeletesAtOnce);
  base::TaskScope scope(core_.parts.executor);
  EnvironmentFilter filter;
  filter.host_id = lane.host_id;
  filter.state = "destroying";
  Names seen;
  std::string after;
  bool all = false;
  while (leads() && !all) {
    auto rows = co_await core_.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments(filter, after, kPage); });
    if (!rows) break;
    all = rows->empty();
    if (!all) after = rows->back().vm_id;
    for (EnvironmentRow& row : *rows) {
      if (lane.host_id.empty() && row.backend != lane.backend) continue;
      seen.insert(row.vm_id);
      if (core_.removals.under_way(row.vm_id)) continue;
      const bool absent = list_began > row.state_changed_at && !listed.contains(row.host_vm_name);
      const auto retry = lane.removals.find(row.vm_id);
      if (!absent && retry != lane.removals.end() && core_.now() < retry->second.next) continue;
      scope.spawn(destroy(lane, places, std::move(row), absent));
    }
  }
  co_await scope.all_ended();
  // What others removed needs no more tries.
  if (all) std::erase_if(lane.removals, [&](const auto& entry) { return !seen.contains(entry.first); });
}

base::Task<void> Reconciler::destroy(Lane& lane, base::Places& places, EnvironmentRow row, bool absent) {
  const auto place = co_await places.take();
  if (!leads()) co_return;
  const std::string vm_id = row.vm_id;
  const auto gone = co_await try_removal(core_, std::move(row), absent);
  if (gone || gone.error().code == base::Errc::exists) {  // or another replica is at it
    lane.removals.erase(vm_id);
    co_return;
  }
  Lane::Retry& retry = lane.removals[vm_id];
  retry.next = core_.now() + backoff(retry.failures++);
}

base::Task<void> Reconciler::allocations() {
  for (const auto& host : core_.hosts.all()) {
    EnvironmentFilter filter;
    filter.host_id = host->row.host_id;
    HostRow sums = host->row;
    sums.cpus_allocated = sums.ram_mb_allocated = sums.storage_gb_allocated = sums.vm_count_allocated =
        sums.gpus_allocated = 0;
    bool differs = false;
    // Counted while the host is locked, so that nothing is reserved between the count and what is written of it.
    auto corrected = co_await core_.commit("allocations", [&](Tx& tx) -> base::Result<void> {
      differs = false;
      FB_TRY(const auto stored, tx.lock_host(filter.host_id.value_or("")));
      if (!stored) return {};
      HostRow now = sums;
      std::string after;
      for (;;) {
        FB_TRY(const auto rows, tx.environments(filter, after, kPage));
        if (rows.empty()) break;
        after = rows.back().vm_id;
        for (const EnvironmentRow& row : rows) {
          const HostReservation share = host_share(row);
          now.cpus_allocated += share.cpus;
          now.ram_mb_allocated += share.ram_mb;
          now.storage_gb_allocated += share.storage_gb;
          now.vm_count_allocated += 1;
          now.gpus_allocated += share.gpus;
        }
      }
      differs = stored->cpus_allocated != now.cpus_allocated || stored->ram_mb_allocated != now.ram_mb_allocated ||
                stored->storage_gb_allocated != now.storage_gb_allocated ||
                stored->vm_count_allocated != now.vm_count_allocated || stored->gpus_allocated != now.gpus_allocated;
      if (differs) tx.set_host_allocated(now);
      return {};
    });
    if (!corrected || !differs) continue;
    core_.parts.meters.count(EngineMeters::Count::drift_corrected);
    core_.log(base::LogLevel::warn, "allocations of a host were corrected", {{"host_id", host->row.host_id}});
    (void)co_await refresh_host(core_, host->row.host_id);
  }
}

}  // namespace fusebox::fleet
