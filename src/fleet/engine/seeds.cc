#include "fleet/engine/seeds.h"

#include "base/json.h"
#include "fleet/engine/boot_material.h"
#include "fleet/secrets/tokens.h"
#include "host/api/grant.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kPullLimit{seconds{1830}};  // contract 10.7
constexpr std::uint32_t kHoldersMax = 200;        // rows of one digest that are looked at

base::Task<base::Result<std::vector<SnapshotRow>>> rows_of_digest(Core& core, const SnapshotRow& snapshot) {
  SnapshotFilter filter;
  filter.digest = snapshot.digest;
  filter.state = "ready";
  const std::string owner = snapshot.owner_tenant_id;
  filter.tenant = owner;
  co_return co_await core.get<std::vector<SnapshotRow>>(
      [&](Reader& reader) { return reader.snapshots(filter, {}, kHoldersMax); });
}

SnapshotRow pulled_row(const SnapshotRow& seed, const host::SnapshotRecord& record, std::string_view source_host,
                       std::string_view host_id, base::Nanos at) {
  SnapshotRow row = seed;
  row.snapshot_id = record.snapshot_id;
  row.vm_id.clear();
  row.task_id.clear();
  row.parent_snapshot_id.clear();
  row.host_id = host_id;
  row.mode = "build";
  row.state = SnapshotState::ready;
  row.size_bytes = static_cast<std::int64_t>(record.size_bytes);
  row.metadata_json = base::json::Writer()
                          .begin_object()
                          .key("source_snapshot_id")
                          .string(seed.snapshot_id)
                          .key("source_host_id")
                          .string(source_host)
                          .end_object()
                          .take();
  row.exports_json = "[]";
  row.retention_until = base::Nanos{0};
  row.created_at = row.updated_at = row.last_used_at = at;
  return row;
}

// Whoever takes the operation over creates from it too.
void found_at(SnapshotRow& seed, OperationRow& op, const SnapshotRow& held) {
  seed.snapshot_id = op.snapshot_id = held.snapshot_id;
  seed.host_id = held.host_id;
}

}  // namespace

base::Task<base::Result<SnapshotRow>> find_seed(Core& core, std::string snapshot_id, std::string tenant) {
  auto seed = co_await core.snapshot(snapshot_id, std::move(tenant));
  if (!seed) co_return seed;
  if (seed->state != SnapshotState::ready)
    co_return refuse(409, "snapshot " + snapshot_id + " is " + std::string(to_string(seed->state)) + ", not ready");
  if (seed->host_id.empty() && core.parts.providers.local(seed->backend) == nullptr)
    co_return refuse(409, "snapshot " + snapshot_id + " has no host");
  co_return seed;
}

base::Task<base::Result<schedule::Seed>> seed_demand(Core& core, const SnapshotRow& snapshot) {
  schedule::Seed seed;
  seed.backend = snapshot.backend;
  seed.arch = snapshot.arch;
  seed.live = snapshot.kind == "live";
  seed.text = snapshot.snapshot_id;
  if (snapshot.host_id.empty()) co_return seed;
  seed.holders.insert(snapshot.host_id);
  if (!snapshot.digest.empty()) {
    FB_CO_TRY(const auto rows, co_await rows_of_digest(core, snapshot));
    for (const SnapshotRow& row : rows)
      if (!row.host_id.empty()) seed.holders.insert(row.host_id);
  }
  seed.text += ", held by ";
  std::string_view separator;
  for (const std::string& holder : seed.holders) {
    seed.text.append(separator).append(holder);
    separator = ", ";
  }
  co_return seed;
}

base::Task<base::Result<void>> bring_seed(Core& core, const EnvironmentRow& row, OperationRow& op, SnapshotRow& seed) {
  if (row.host_id == seed.host_id) co_return base::Result<void>{};
  if (seed.digest.empty()) co_return refuse(500, "snapshot " + seed.snapshot_id + " has no digest and cannot be moved");
  FB_CO_TRY(const auto rows, co_await rows_of_digest(core, seed));
  for (const SnapshotRow& held : rows) {
    if (held.host_id != row.host_id) continue;
    note_use(core, held);
    found_at(seed, op, held);
    co_return base::Result<void>{};
  }
  op.step = "pull";
  auto recorded = co_await core.commit("pull", [&](Tx& tx) -> base::Result<void> {
    tx.update_operation(op);
    return {};
  });
  if (!recorded) co_return recorded;
  FB_CO_TRY(const Place target, core.place_of(row));
  const base::Nanos limit = core.parts.options.pull_timeout.count() > 0 ? core.parts.options.pull_timeout : kPullLimit;
  std::string failures;
  std::vector<SnapshotRow> holders = rows;
  if (holders.empty()) holders.push_back(seed);
  for (const SnapshotRow& holder : holders) {
    const auto host = core.hosts.find(holder.host_id);
    if (!host || !host->provider) continue;
    auto token = open_host_token(core.parts.vault, host->row);
    if (!token) continue;
    note_use(core, holder);
    host::PullSpec spec{.digest = seed.digest,
                        .peer_url = host->row.url,
                        .grant = host::mint_grant(*token, seed.digest, core.wall(), core.parts.random),
                        .snapshot_id = artifact_snapshot_id(seed.digest, row.host_id)};
    const base::Nanos began = core.now();
    auto pulled = co_await target.provider->pull(core.context(row, &op, limit), std::move(spec));
    core.heard(target, pulled);
    core.parts.meters.snapshot_done("pull", row.backend, std::chrono::duration<double>(core.now() - began).count());
    if (!pulled) {
      failures += "; " + holder.host_id + ": " + pulled.error().message;
      continue;
    }
    const SnapshotRow copy = pulled_row(seed, *pulled, holder.host_id, row.host_id, core.wall());
    auto kept = co_await core.commit("pulled", [&](Tx& tx) -> base::Result<void> {
      tx.insert_snapshot(copy);
      tx.add_event(event_of("snapshot", copy.snapshot_id, "artifact.pulled", copy.created_at));
      return {};
    });
    if (!kept && kept.error().code != base::Errc::exists) co_return kept;
    found_at(seed, op, copy);
    co_return base::Result<void>{};
  }
  co_return refuse(500,
                   "seed " + seed.snapshot_id + " could not be brought to host \"" + row.host_id + "\"" + failures);
}

}  // namespace fusebox::fleet
