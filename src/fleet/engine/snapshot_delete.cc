// Snapshots: their bytes and their rows deleted, on request or by the reconciler.
#include <algorithm>

#include "fleet/engine/snapshot_events.h"
#include "fleet/engine/snapshots.h"

namespace fusebox::fleet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr base::Nanos kDeleteLimit{seconds{60}};
constexpr int kRetryShiftMax = 6;  // 1, 2, 4 .. 64 minutes

base::Task<base::Result<void>> commit_deleted(Core& core, const SnapshotRow& snapshot, std::string event,
                                              std::string request_id, bool leaked) {
  const base::Nanos at = core.wall();
  co_return co_await core.commit("snapshot_deleted", [&](Tx& tx) -> base::Result<void> {
    tx.delete_snapshot(snapshot.snapshot_id);
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, event, at, request_json(request_id)));
    FB_CHECK(tell_environment(tx, snapshot, "deleted"));
    if (!leaked) return {};
    tx.put_leaked_artifact({.host_id = snapshot.host_id,
                            .snapshot_id = snapshot.snapshot_id,
                            .digest = snapshot.digest,
                            .last_error = "the agent cannot delete snapshots",
                            .size_bytes = snapshot.size_bytes,
                            .first_seen_at = at,
                            .last_try_at = at});
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, "snapshot.leaked", at));
    return {};
  });
}

// Nobody is left to ask: with its host its bytes are out of reach. Another replica may have registered the host.
base::Task<base::Result<bool>> is_without_host(Core& core, std::string host_id) {
  if (host_id.empty() || core.hosts.find(host_id)) co_return false;
  FB_CO_CHECK(co_await refresh_host(core, host_id));
  co_return core.hosts.find(host_id) == nullptr;
}

base::Task<base::Result<void>> delete_on_host(Core& core, const Place& place, const SnapshotRow& snapshot,
                                              std::string request_id) {
  host::CallContext context;
  context.limit = kDeleteLimit;
  context.request_id = request_id;
  std::string name;
  if (!snapshot.vm_id.empty()) {
    auto row = co_await core.environment(snapshot.vm_id, {});
    name = row ? row->host_vm_name : snapshot.vm_id;
    if (!row && place.has("store-delete")) name.clear();
  }
  const base::Nanos began = core.now();
  auto deleted = co_await place.provider->delete_snapshot(context, name, snapshot.snapshot_id);
  core.heard(place, deleted);
  core.parts.meters.snapshot_done("delete", snapshot.backend,
                                  std::chrono::duration<double>(core.now() - began).count());
  co_return deleted;
}

// Whether the bytes stay there unnamed: of an agent that never said it could delete them, "not found" is the route (10.5).
bool leaks(const Place& place, const base::Error& error) {
  const bool absent = error.code == base::Errc::unsupported || error.code == base::Errc::not_found;
  return absent && !place.has("snapshot-delete");
}

}  // namespace

base::Task<base::Result<void>> run_snapshot_deletion(Core& core, SnapshotRow snapshot, std::string event,
                                                     std::string request_id) {
  FB_CO_TRY(const bool alone, co_await is_without_host(core, snapshot.host_id));
  if (alone) co_return co_await commit_deleted(core, snapshot, event, request_id, false);
  const auto place = core.place_of(snapshot.host_id, snapshot.backend);
  base::Result<void> deleted;
  if (place)
    deleted = co_await delete_on_host(core, *place, snapshot, request_id);
  else
    deleted = std::unexpected(place.error());
  const bool leaked = place && !deleted && leaks(*place, deleted.error());
  if (deleted || leaked || deleted.error().code == base::Errc::not_found)
    co_return co_await commit_deleted(core, snapshot, event, request_id, leaked);
  const base::Nanos at = core.wall();
  const std::string failure = deleted.error().message;
  snapshot.state = SnapshotState::error;
  snapshot.last_error = failure;
  snapshot.next_retry_at = at + base::Nanos{minutes{std::int64_t{1} << std::min(snapshot.retry_count, kRetryShiftMax)}};
  ++snapshot.retry_count;
  snapshot.updated_at = at;
  FB_CO_CHECK(co_await core.commit("snapshot_delete_failed", [&](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(snapshot, SnapshotState::deleting);
    tx.add_event(event_of("snapshot", snapshot.snapshot_id, "snapshot.gc_failed", at, reason_json(failure)));
    return {};
  }));
  if (!place) co_return deleted;
  co_return refuse(500, "snapshot " + snapshot.snapshot_id + " could not be deleted on its host: " + failure);
}

base::Task<base::Result<void>> delete_snapshot(Core& core, RequestInfo info, std::string snapshot_id) {
  FB_CO_TRY(SnapshotRow snapshot, co_await core.snapshot(snapshot_id, info.caller.tenant));
  FB_CO_TRY(const std::uint64_t children,
            co_await core.get<std::uint64_t>([&](Reader& reader) { return reader.count_children(snapshot_id); }));
  if (children > 0)
    co_return refuse(409,
                     "snapshot " + snapshot_id + " has " + std::to_string(children) + " children; delete them first");
  const SnapshotState before = snapshot.state;
  if (before == SnapshotState::restoring || before == SnapshotState::creating)
    co_return refuse(409, "snapshot " + snapshot_id + " is " + std::string(to_string(before)));
  snapshot.state = SnapshotState::deleting;
  snapshot.updated_at = core.wall();
  auto recorded = co_await core.commit("snapshot_delete_recorded", [&](Tx& tx) -> base::Result<void> {
    tx.update_snapshot(snapshot, before);
    return {};
  });
  if (!recorded && recorded.error().code == base::Errc::not_found) co_return no_such_snapshot(snapshot_id);
  if (!recorded) co_return recorded;
  // A lineage row has no bytes of its own.
  if (snapshot_id.starts_with("fork-seed-"))
    co_return co_await commit_deleted(core, snapshot, "snapshot.deleted", info.request_id, false);
  const auto work = [](Core& on, SnapshotRow what, std::string request_id,
                       base::Completion<base::Result<void>> tell) -> base::Task<void> {
    tell.set(co_await run_snapshot_deletion(on, std::move(what), "snapshot.deleted", std::move(request_id)));
  };
  const base::Completion<base::Result<void>> done;
  core.jobs.spawn(work(core, std::move(snapshot), info.request_id, done));
  co_return co_await done.wait(core.parts.executor);
}

}  // namespace fusebox::fleet
