// The passes that look at rows, not at hosts' lists: deadlines, health, snapshots, retention.
#include <algorithm>
#include <iterator>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/health_verdict.h"
#include "fleet/engine/reconcile.h"
#include "fleet/engine/removal.h"
#include "fleet/engine/snapshots.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kHealthAtOnce = 64;  // contract 13 pass 6
constexpr base::Nanos kHealthLimit{seconds{10}};
constexpr std::size_t kDeletesAtOnce = 8;                           // contract 13, per host
constexpr std::uint32_t kPruneBatch = 1000;                         // contract 16.3
constexpr base::Nanos kPrunePause{std::chrono::milliseconds{100}};  // between batches, so that others can write

std::string seconds_text(base::Nanos span) {
  return std::to_string(std::chrono::duration_cast<seconds>(span).count()) + "s";
}

}  // namespace

base::Nanos Reconciler::ceiling_of(const EnvironmentRow& row) const noexcept {
  return row.max_runtime_seconds > 0 ? base::Nanos{seconds{row.max_runtime_seconds}}
                                     : core_.parts.options.task_stuck_timeout;
}

base::Nanos Reconciler::idle_limit_of(const EnvironmentRow& row) const noexcept {
  return row.idle_timeout_seconds > 0 ? base::Nanos{seconds{row.idle_timeout_seconds}}
                                      : core_.parts.options.default_idle_timeout;
}

bool Reconciler::is_idle(const EnvironmentRow& row, base::Nanos at) const {
  const base::Nanos limit = idle_limit_of(row);
  return limit.count() > 0 && !core_.live.in_use(row.vm_id) && at - row.last_activity_at > limit;
}

base::Task<void> Reconciler::deadlines() {
  HostPlaces places(core_.parts.executor, kDeletesAtOnce);
  base::TaskScope scope(core_.parts.executor);
  co_await deadlines_in(EnvironmentState::running, places, scope);
  co_await deadlines_in(EnvironmentState::draining, places, scope);
  co_await scope.all_ended();
}

base::Task<void> Reconciler::deadlines_in(EnvironmentState state, HostPlaces& places, base::TaskScope& scope) {
  std::string after;
  while (leads()) {
    const base::Nanos at = core_.wall();
    auto rows = co_await core_.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments_past(state, at, after, kPage); });
    if (!rows || rows->empty()) co_return;
    after = rows->back().vm_id;
    for (EnvironmentRow& row : *rows) {
      if (!core_.hosts.reachable(row.host_id)) continue;  // nothing on it is judged (11.4)
      const base::Nanos ceiling = ceiling_of(row);
      if (ceiling.count() > 0 && at - row.created_at > ceiling)
        scope.spawn(stuck(places, std::move(row), at));
      else if (row.stuck_strikes != 0)
        scope.spawn(stuck_over(std::move(row)));
      else if (state == EnvironmentState::running && (row.idle_strikes != 0 || is_idle(row, at)))
        scope.spawn(idle(places, std::move(row), at));
    }
  }
}

base::Task<void> Reconciler::stuck(HostPlaces& places, EnvironmentRow row, base::Nanos at) {
  const auto place = co_await places.of(row.host_id).take();
  if (!leads()) co_return;
  const std::string text =
      "task stuck: runtime " + seconds_text(at - row.created_at) + " exceeded ceiling " + seconds_text(ceiling_of(row));
  if (row.stuck_strikes == 0) {
    core_.parts.meters.count(EngineMeters::Count::stuck_suspected);
    const auto noted = co_await core_.commit("stuck_suspected", [&](Tx& tx) -> base::Result<void> {
      tx.set_strikes(row.vm_id, row.generation, 1, row.idle_strikes, row.missing_seen_at);
      tx.add_event(task_event(row, "task.stuck_suspected", at, reason_json(text)));
      return {};
    });
    if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
    co_return;
  }
  co_await strike_out(places, std::move(row), "stuck_task", RemovalReason("stuck", text), at,
                      EngineMeters::Count::stuck_failed);
}

// Strikes count in a row: a clock that was ahead for one tick leaves none behind.
base::Task<void> Reconciler::stuck_over(EnvironmentRow row) {
  const auto noted = co_await core_.commit("stuck_over", [&](Tx& tx) -> base::Result<void> {
    tx.set_strikes(row.vm_id, row.generation, 0, row.idle_strikes, row.missing_seen_at);
    return {};
  });
  if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
}

// The second strike: the environment goes, and a letter says why.
base::Task<void> Reconciler::strike_out(HostPlaces& places, EnvironmentRow row, std::string_view kind,
                                        RemovalReason reason, base::Nanos at, EngineMeters::Count count,
                                        Store::WriteWork check) {
  if (places.given_up(row.host_id)) co_return;
  const DeadLetterRow letter{.id = 0,
                             .kind = std::string(kind),
                             .entity_id = row.vm_id,
                             .task_id = row.task_id,
                             .reason = reason.error,
                             .payload_json = "{}",
                             .retry_count = 0,
                             .first_seen_at = at,
                             .last_seen_at = at,
                             .acknowledged_at = base::Nanos{0}};
  const RequestInfo nobody;
  Store::WriteWork also = [letter, check = std::move(check)](Tx& tx) -> base::Result<void> {
    if (check) FB_CHECK(check(tx));
    tx.put_dead_letter(letter);
    return {};
  };
  auto removal = co_await begin_removal(core_, std::move(row), std::move(reason), nobody, std::move(also));
  if (!removal) co_return;
  core_.parts.meters.count(count);
  const std::string host_id = removal->row.host_id;
  const auto removed = co_await run_removal(core_, std::move(*removal));
  if (!removed && removed.error().code != base::Errc::stale) places.give_up(host_id);
}

base::Task<void> Reconciler::idle(HostPlaces& places, EnvironmentRow row, base::Nanos at) {
  const auto place = co_await places.of(row.host_id).take();
  if (!leads()) co_return;
  if (!is_idle(row, at)) {
    if (row.idle_strikes == 0) co_return;
    const auto noted = co_await core_.commit("idle_over", [&](Tx& tx) -> base::Result<void> {
      tx.set_strikes(row.vm_id, row.generation, row.stuck_strikes, 0, row.missing_seen_at);
      return {};
    });
    if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
    co_return;
  }
  const std::string text = "idle for more than " + seconds_text(idle_limit_of(row));
  if (row.idle_strikes == 0) {
    core_.parts.meters.count(EngineMeters::Count::idle_suspected);
    const auto noted = co_await core_.commit("idle_suspected", [&](Tx& tx) -> base::Result<void> {
      tx.set_strikes(row.vm_id, row.generation, row.stuck_strikes, 1, row.missing_seen_at);
      tx.add_event(vm_event(row, "vm.idle_suspected", at, reason_json(text)));
      return {};
    });
    if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
    co_return;
  }
  // Activity does not move the generation.
  Store::WriteWork unused = [id = row.vm_id, judged = row.last_activity_at](Tx& tx) -> base::Result<void> {
    FB_TRY(const auto now, tx.environment(id));
    if (!now || now->last_activity_at > judged) return base::fail(base::Errc::stale, "it was used meanwhile");
    return {};
  };
  co_await strike_out(places, std::move(row), "idle_timeout", RemovalReason("idle", text), at,
                      EngineMeters::Count::idle_failed, std::move(unused));
}

base::Task<void> Reconciler::health() {
  health_checked_ = health_failing_ = 0;
  base::Places places(core_.parts.executor, kHealthAtOnce);
  base::TaskScope scope(core_.parts.executor);
  const auto one = [](Reconciler& self, base::Places& from, EnvironmentRow row,
                      BootMaterial material) -> base::Task<void> {
    const auto place = co_await from.take();
    co_await self.health_of(std::move(row), std::move(material));
  };
  EnvironmentFilter filter;
  filter.state = "running";
  std::set<std::string, std::less<>> checked;
  std::string after;
  for (;;) {
    auto rows = co_await core_.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments(filter, after, kPage); });
    if (!rows || rows->empty()) break;
    after = rows->back().vm_id;
    for (EnvironmentRow& row : *rows) {
      // Only environments with a healthcheck have the file; the row knows by its boot material, which only VMs have read.
      if (!guest_kind(row.backend).agent || !core_.hosts.reachable(row.host_id)) continue;
      auto material = open_material(core_.parts.vault, row);
      if (!material || material->request.healthcheck_json.empty()) continue;
      ++health_checked_;
      checked.insert(row.vm_id);
      scope.spawn(one(*this, places, std::move(row), std::move(*material)));
    }
  }
  co_await scope.all_ended();
  std::erase_if(no_verdict_, [&](const std::string& vm_id) { return !checked.contains(vm_id); });
  core_.parts.meters.health(health_checked_, health_failing_);
}

base::Task<void> Reconciler::health_of(EnvironmentRow row, BootMaterial material) {
  auto place = core_.place_of(row);
  if (!place) co_return;
  const bool failing_before = is_failing(row.health_json);
  if (core_.live.in_use(row.vm_id) && !place->has("parallel-exec")) {
    health_failing_ += failing_before ? 1 : 0;
    co_return;
  }
  host::ProcessSpec spec;
  spec.argv = {"cat", "/fuse/health.json"};
  spec.timeout = seconds{5};
  spec.output_bytes_max = kHealthBytesMax;
  host::CallContext context;
  context.limit = kHealthLimit;
  auto reply = co_await place->provider->exec(context, row.host_vm_name, std::move(spec));
  core_.heard(*place, reply);
  const bool usable = reply && reply->exit.exit_code == 0;
  std::optional<std::string> verdict;
  if (usable && !reply->out_truncated) verdict = read_health_verdict(reply->out, material);
  if (!verdict) {
    health_failing_ += failing_before ? 1 : 0;
    if (usable && no_verdict_.insert(row.vm_id).second)
      core_.log(base::LogLevel::warn, "health file of a guest holds no verdict; the last one stays",
                {{"vm_id", row.vm_id}});
    co_return;
  }
  no_verdict_.erase(row.vm_id);
  health_failing_ += is_failing(*verdict) ? 1 : 0;
  const bool changed = *verdict != row.health_json;
  // An operation that began before the last verdict came has written its older view.
  if (!changed && row.view_json.find(*verdict) != std::string::npos) co_return;
  row.health_json = *verdict;
  refresh_view(row);
  const base::Nanos at = core_.wall();
  const auto noted = co_await core_.commit("health", [&](Tx& tx) -> base::Result<void> {
    tx.set_health(row.vm_id, row.generation, row.health_json, row.view_json);
    if (!changed) return {};
    tx.add_event(vm_event(row, "vm.health_changed", at, *verdict));
    tx.append_env_event(row.vm_id, "health", guest_event("health", row.vm_id, *verdict));
    return {};
  });
  if (!noted) core_.log(base::LogLevel::debug, "row moved on", {{"vm_id", row.vm_id}});
}

// A restore that was cut short by its environment's end leaves its snapshot as it was.
base::Task<void> Reconciler::restoring() {
  SnapshotFilter filter;
  filter.state = "restoring";
  auto rows =
      co_await core_.get<std::vector<SnapshotRow>>([&](Reader& reader) { return reader.snapshots(filter, {}, kPage); });
  if (!rows) co_return;
  for (SnapshotRow& snapshot : *rows) {
    const std::string op_id = snapshot.op_id;
    auto op = co_await core_.get<std::optional<OperationRow>>([&](Reader& reader) { return reader.operation(op_id); });
    if (!op || (*op && (*op)->state == OperationState::running)) continue;
    snapshot.state = SnapshotState::ready;
    snapshot.updated_at = core_.wall();
    const auto kept = co_await core_.commit("restore_over", [&](Tx& tx) -> base::Result<void> {
      tx.update_snapshot(snapshot, SnapshotState::restoring);
      return {};
    });
    if (!kept) core_.log(base::LogLevel::debug, "snapshot moved on", {{"snapshot_id", snapshot.snapshot_id}});
  }
}

base::Task<void> Reconciler::snapshots() {
  co_await restoring();
  const base::Nanos at = core_.wall();
  auto due = co_await core_.get<std::vector<SnapshotRow>>(
      [&](Reader& reader) { return reader.snapshots_due(at, at - kRecentlyUsed, kPage); });
  SnapshotFilter unfinished;
  unfinished.state = "creating";
  auto creating = co_await core_.get<std::vector<SnapshotRow>>(
      [&](Reader& reader) { return reader.snapshots(unfinished, {}, kPage); });
  HostPlaces places(core_.parts.executor, kDeletesAtOnce);
  base::TaskScope scope(core_.parts.executor);
  if (due) {
    for (SnapshotRow& snapshot : *due)
      if (core_.hosts.reachable(snapshot.host_id)) scope.spawn(collect(places, std::move(snapshot), at));
  }
  if (creating) {
    for (SnapshotRow& snapshot : *creating)
      if (core_.hosts.reachable(snapshot.host_id)) scope.spawn(settle(places, std::move(snapshot)));
  }
  co_await scope.all_ended();
}

// What the store named as due, unless it was used or got a child since.
base::Task<void> Reconciler::collect(HostPlaces& places, SnapshotRow snapshot, base::Nanos at) {
  const auto place = co_await places.of(snapshot.host_id).take();
  if (!leads() || places.given_up(snapshot.host_id)) co_return;
  const SnapshotState before = std::exchange(snapshot.state, SnapshotState::deleting);
  snapshot.updated_at = at;
  const auto recorded = co_await core_.commit("snapshot_gc_recorded", [&](Tx& tx) -> base::Result<void> {
    FB_TRY(const auto now, tx.snapshot(snapshot.snapshot_id));
    if (!now || now->last_used_at != snapshot.last_used_at)
      return base::fail(base::Errc::stale, "it was used meanwhile");
    FB_TRY(const std::uint64_t children, tx.count_children(snapshot.snapshot_id));
    if (children != 0) return base::fail(base::Errc::stale, "it has a child by now");
    tx.update_snapshot(snapshot, before);
    return {};
  });
  if (!recorded) co_return;
  const std::string host_id = snapshot.host_id;
  const auto deleted = co_await run_snapshot_deletion(core_, std::move(snapshot), "snapshot.gc_deleted");
  if (!deleted) places.give_up(host_id);
}

// One that is still being made is its maker's, which may be another replica.
base::Task<void> Reconciler::settle(HostPlaces& places, SnapshotRow snapshot) {
  const auto place = co_await places.of(snapshot.host_id).take();
  const std::string op_id = snapshot.op_id;
  if (!leads() || core_.at_work.contains(op_id)) co_return;
  auto op = co_await core_.get<std::optional<OperationRow>>([&](Reader& reader) { return reader.operation(op_id); });
  if (!op) co_return;
  const bool others = *op && (*op)->state == OperationState::running && (*op)->lease_until > core_.wall() &&
                      (*op)->owner != core_.parts.options.replica_id;
  if (!others) (void)co_await settle_creating(core_, std::move(snapshot));
}

base::Task<void> Reconciler::retention() {
  const base::Nanos at = core_.wall();
  const EngineOptions& options = core_.parts.options;
  const auto before = [at](hours span) {
    return std::max(at - base::Nanos{span}, base::Nanos{seconds{1}});  // no time is before the first
  };
  const Tx::Retention keep{.events_before = before(hours{24} * options.event_retention_days),
                           .env_events_before = before(hours{options.sse_retention_hours}),
                           .operations_before = before(hours{24}),
                           .tombstones_before = before(hours{24 * 7}),
                           .tasks_before = before(hours{24 * 30}),
                           .dead_letters_before = before(hours{24 * 90}),
                           .logins_before = at,
                           .replicas_before = before(hours{24 * 7})};
  bool more = true;
  while (more && leads()) {
    const auto pruned = co_await core_.commit("retention", [&](Tx& tx) -> base::Result<void> {
      FB_TRY(more, tx.prune(keep, kPruneBatch));
      return {};
    });
    if (!pruned) {
      core_.log(base::LogLevel::warn, "retention failed", {{"error", pruned.error().message}});
      co_return;
    }
    if (more) co_await core_.pause(kPrunePause);
  }
}

}  // namespace fusebox::fleet
