// orchestrator_snapshots, and the copies hosts could not delete.
#include <map>

#include "fleet/store/queries.h"
#include "fleet/store/tx.h"
#include "fleet/store/words.h"

namespace fusebox::fleet {
namespace {

using sql::Guard;
using sql::Write;

#define FUSEBOX_SNAPSHOT_COLUMNS                                                                                      \
  "snapshot_id, vm_id, task_id, host_id, tenant_id, owner_tenant_id, parent_snapshot_id, mode, kind, backend, arch, " \
  "layer_key, digest, state, size_bytes, retention_until, metadata_json, exports_json, last_error, op_id, "           \
  "created_at, updated_at, last_used_at, next_retry_at, retry_count"
#define FUSEBOX_SELECT_SNAPSHOT "SELECT " FUSEBOX_SNAPSHOT_COLUMNS " FROM orchestrator_snapshots"

constexpr std::string_view kTable = "orchestrator_snapshots";

constexpr sql::Query kById{"snapshot", "t", FUSEBOX_SELECT_SNAPSHOT " WHERE snapshot_id = ?1"};
constexpr sql::Query kLayer{"resolve_layer", "ttt",
                            FUSEBOX_SELECT_SNAPSHOT
                            " WHERE tenant_id = ?1 AND layer_key = ?2 AND layer_key <> '' AND arch = ?3 "
                            "AND state = 'ready' ORDER BY created_at DESC, snapshot_id DESC LIMIT 1"};
constexpr sql::Query kChildren{"count_children", "t",
                               "SELECT COUNT(*) FROM orchestrator_snapshots WHERE parent_snapshot_id = ?1 "
                               "AND parent_snapshot_id <> '' AND snapshot_id NOT LIKE 'fork-seed-%'"};
constexpr sql::Query kUse{"snapshot_use", "t",
                          "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM orchestrator_snapshots "
                          "WHERE tenant_id = ?1 AND state IN ('creating', 'ready', 'restoring') AND mode <> 'build' "
                          "AND snapshot_id NOT LIKE 'fork-seed-%'"};
// A row in error is on its host when it waits for another try of its deletion.
constexpr sql::Query kHostSnapshots{
    "host_snapshots", "",
    "SELECT host_id, COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT), 0 FROM orchestrator_snapshots "
    "WHERE (state IN ('ready', 'restoring', 'deleting') OR (state = 'error' AND next_retry_at IS NOT NULL)) "
    "AND snapshot_id NOT LIKE 'fork-seed-%' GROUP BY host_id UNION ALL "
    "SELECT host_id, 0, 0, CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM orchestrator_leaked_artifacts "
    "GROUP BY host_id"};
constexpr sql::Query kSeedsInUse{
    "seeds_in_use", "", "SELECT DISTINCT source_snapshot_id FROM orchestrator_vms WHERE source_snapshot_id <> ''"};
// A host that does not answer keeps what it has for now, and holds up no other.
#define FUSEBOX_ON_A_HOST_THAT_ANSWERS                                                  \
  " AND NOT EXISTS (SELECT 1 FROM orchestrator_hosts AS h WHERE h.host_id = s.host_id " \
  "AND h.reach_state = 'unreachable')"
#define FUSEBOX_WITHOUT_CHILDREN                                                                           \
  " AND NOT EXISTS (SELECT 1 FROM orchestrator_snapshots AS c WHERE c.parent_snapshot_id = s.snapshot_id " \
  "AND c.parent_snapshot_id <> '' AND c.snapshot_id NOT LIKE 'fork-seed-%')"
#define FUSEBOX_SELECT_DUE "SELECT " FUSEBOX_SNAPSHOT_COLUMNS " FROM orchestrator_snapshots AS s WHERE "
// Contract 10.5. The newest of an environment that still exists is its way back; a row of lineage has nothing of its own
// to go back to.
constexpr sql::Query kPastRetention{"snapshots_due", "zzi",
                                    FUSEBOX_SELECT_DUE
                                    "retention_until IS NOT NULL AND retention_until <= ?1 AND mode <> 'build' "
                                    "AND (state = 'ready' OR (state = 'error' AND next_retry_at IS NULL)) "
                                    "AND (last_used_at IS NULL OR last_used_at <= ?2) "
                                    "AND (NOT EXISTS (SELECT 1 FROM orchestrator_vms AS v WHERE v.vm_id = s.vm_id) "
                                    "OR EXISTS (SELECT 1 FROM orchestrator_snapshots AS n WHERE n.vm_id = s.vm_id "
                                    "AND n.state IN ('ready', 'restoring') AND n.snapshot_id NOT LIKE 'fork-seed-%' "
                                    "AND (n.created_at, n.snapshot_id) > (s.created_at, "
                                    "s.snapshot_id)))" FUSEBOX_WITHOUT_CHILDREN FUSEBOX_ON_A_HOST_THAT_ANSWERS
                                    " ORDER BY retention_until LIMIT ?3"};
constexpr sql::Query kRetryDue{"snapshots_due", "zi",
                               FUSEBOX_SELECT_DUE
                               "state IN ('deleting', 'error') AND next_retry_at IS NOT NULL "
                               "AND next_retry_at <= ?1" FUSEBOX_WITHOUT_CHILDREN FUSEBOX_ON_A_HOST_THAT_ANSWERS
                               " ORDER BY next_retry_at LIMIT ?2"};
// A deletion that never failed has no time to wait for.
constexpr sql::Query kDeleting{
    "snapshots_due", "i",
    FUSEBOX_SELECT_DUE
    "state = 'deleting' AND next_retry_at IS NULL" FUSEBOX_WITHOUT_CHILDREN FUSEBOX_ON_A_HOST_THAT_ANSWERS
    " ORDER BY created_at DESC, snapshot_id DESC LIMIT ?1"};
constexpr sql::Query kExists{"snapshot_exists", "t", "SELECT 1 FROM orchestrator_snapshots WHERE snapshot_id = ?1"};

constexpr Write kInsert{.table = kTable,
                        .types =
                            "tttttttttttttt"
                            "izjjtt"
                            "zzzzi",
                        .keys = 1,
                        .columns = FUSEBOX_SNAPSHOT_COLUMNS,
                        .rest = "ON CONFLICT DO NOTHING",
                        .guard = {.one_row = true, .code = base::Errc::exists, .what = "there is already a snapshot"}};
constexpr Write kUpdate{
    .kind = Write::Kind::update,
    .table = kTable,
    .types =
        "tt"
        "ttttttttttttt"
        "izjjtt"
        "zzzzi",
    .keys = 1,
    .columns =
        "vm_id = ?3, task_id = ?4, host_id = ?5, tenant_id = ?6, owner_tenant_id = ?7, "
        "parent_snapshot_id = ?8, mode = ?9, kind = ?10, backend = ?11, arch = ?12, layer_key = ?13, "
        "digest = ?14, state = ?15, size_bytes = ?16, retention_until = ?17, metadata_json = ?18, "
        "exports_json = ?19, last_error = ?20, op_id = ?21, created_at = ?22, updated_at = ?23, "
        "last_used_at = ?24, next_retry_at = ?25, retry_count = ?26",
    .rest = "snapshot_id = ?1 AND state = ?2",
    .guard = {.one_row = true, .code = base::Errc::stale, .what = "somebody changed snapshot"}};
constexpr Write kRename{.kind = Write::Kind::update,
                        .table = kTable,
                        .types = "tt",
                        .keys = 1,
                        .guard = {.one_row = true, .code = base::Errc::not_found, .what = "there is no snapshot"},
                        .alone = true,  // two keys
                        .text = "UPDATE orchestrator_snapshots SET snapshot_id = ?2 WHERE snapshot_id = ?1"};
constexpr Write kTouch{.kind = Write::Kind::update,
                       .table = kTable,
                       .types = "tz",
                       .keys = 1,
                       .columns = "last_used_at = ?2",
                       .rest = "snapshot_id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)"};
constexpr Write kDelete{
    .kind = Write::Kind::remove, .table = kTable, .types = "t", .keys = 1, .rest = "snapshot_id = ?1"};
constexpr Write kDeleteLineage{
    .kind = Write::Kind::remove,
    .table = kTable,
    .types = "t",
    .keys = 1,
    .alone = true,  // its key is another
    .text = "DELETE FROM orchestrator_snapshots WHERE vm_id = ?1 AND snapshot_id LIKE 'fork-seed-%'"};
constexpr Write kFailOfHost{.kind = Write::Kind::update,
                            .table = kTable,
                            .types = "ttz",
                            .keys = 1,
                            .alone = true,  // many rows
                            .text =
                                "UPDATE orchestrator_snapshots SET state = 'error', last_error = ?2, updated_at = ?3 "
                                "WHERE host_id = ?1"};

constexpr sql::Query kLeaks{"leaked_artifacts", "i",
                            "SELECT host_id, snapshot_id, digest, size_bytes, first_seen_at, last_try_at, last_error "
                            "FROM orchestrator_leaked_artifacts ORDER BY host_id, snapshot_id LIMIT ?1"};
constexpr Write kPutLeak{
    .table = "orchestrator_leaked_artifacts",
    .types = "ttttizz",
    .keys = 2,
    .columns = "host_id, snapshot_id, digest, last_error, size_bytes, first_seen_at, last_try_at",
    .rest =
        "ON CONFLICT (host_id, snapshot_id) DO UPDATE SET digest = excluded.digest, "
        "last_error = excluded.last_error, size_bytes = excluded.size_bytes, last_try_at = excluded.last_try_at"};
constexpr Write kDeleteLeak{.kind = Write::Kind::remove,
                            .table = "orchestrator_leaked_artifacts",
                            .types = "tt",
                            .keys = 2,
                            .rest = "host_id = ?1 AND snapshot_id = ?2"};

SnapshotRow snapshot_at(const sql::Row& row) {
  int at = 0;
  SnapshotRow out;
  for (std::string* text :
       {&out.snapshot_id, &out.vm_id, &out.task_id, &out.host_id, &out.tenant_id, &out.owner_tenant_id,
        &out.parent_snapshot_id, &out.mode, &out.kind, &out.backend, &out.arch, &out.layer_key, &out.digest}) {
    *text = row.text(at++);
  }
  out.state = snapshot_state(row.text(at++));
  out.size_bytes = row.integer(at++);
  out.retention_until = row.time(at++);
  out.metadata_json = row.text(at++);
  out.exports_json = row.text(at++);
  out.last_error = row.text(at++);
  out.op_id = row.text(at++);
  out.created_at = row.time(at++);
  out.updated_at = row.time(at++);
  out.last_used_at = row.time(at++);
  out.next_retry_at = row.time(at++);
  out.retry_count = small_at(row, at++);
  return out;
}

LeakedArtifactRow leak_at(const sql::Row& row) {
  return {.host_id = text_at(row, 0),
          .snapshot_id = text_at(row, 1),
          .digest = text_at(row, 2),
          .last_error = text_at(row, 6),
          .size_bytes = row.integer(3),
          .first_seen_at = row.time(4),
          .last_try_at = row.time(5)};
}

// From vm_id on, in the order both statements have them.
void add_common(std::vector<sql::Value>& values, const SnapshotRow& row) {
  values.insert(values.end(), {row.vm_id,
                               row.task_id,
                               row.host_id,
                               row.tenant_id,
                               row.owner_tenant_id,
                               row.parent_snapshot_id,
                               row.mode,
                               row.kind,
                               row.backend,
                               row.arch,
                               row.layer_key,
                               row.digest,
                               to_string(row.state),
                               row.size_bytes,
                               row.retention_until,
                               row.metadata_json,
                               row.exports_json,
                               row.last_error,
                               row.op_id,
                               row.created_at,
                               row.updated_at,
                               row.last_used_at,
                               row.next_retry_at,
                               row.retry_count});
}

}  // namespace

base::Result<std::optional<SnapshotRow>> SqlTx::snapshot(std::string_view snapshot_id) {
  return first_row(connection(), kById, {snapshot_id}, snapshot_at);
}

base::Result<std::vector<SnapshotRow>> SqlTx::snapshots(const SnapshotFilter& filter,
                                                        const std::optional<SnapshotAfter>& after,
                                                        std::uint32_t limit) {
  Filtered query(FUSEBOX_SELECT_SNAPSHOT);
  if (!filter.tenant.empty()) query.where("owner_tenant_id <> ''").where("owner_tenant_id = ", 't', filter.tenant);
  query.where("vm_id = ", filter.vm_id)
      .where("task_id = ", filter.task_id)
      .where("tenant_id = ", filter.tenant_id)
      .where("state = ", filter.state)
      .where("mode = ", filter.mode)
      .where("layer_key = ", filter.layer_key)
      .where("arch = ", filter.arch)
      .where("digest = ", filter.digest)
      .where("host_id = ", filter.host_id);
  const bool sqlite = connection_.dialect() == sql::Dialect::sqlite;
  query.where(sqlite ? "json_extract(metadata_json, '$.name') = " : "metadata_json ->> 'name' = ", filter.name);
  if (after) {
    query.where("(created_at, snapshot_id) < (" + query.place('z', after->created_at) + ", " +
                query.place('t', after->id) + ")");
  }
  query.append(" ORDER BY created_at DESC, snapshot_id DESC").limit(limit);
  return all_rows(connection(), query.query("snapshots"), query.values(), snapshot_at);
}

base::Result<std::optional<SnapshotRow>> SqlTx::resolve_layer(std::string_view tenant, std::string_view layer_key,
                                                              std::string_view arch) {
  return first_row(connection(), kLayer, {tenant, layer_key, arch}, snapshot_at);
}

base::Result<std::uint64_t> SqlTx::count_children(std::string_view snapshot_id) {
  const sql::Value id[] = {snapshot_id};
  return number(connection(), kChildren, id);
}

base::Result<Reader::SnapshotUse> SqlTx::snapshot_use(std::string_view tenant_id) {
  SnapshotUse use;
  FB_CHECK(query(kUse, {tenant_id},
                 [&](const sql::Row& row) { use = {.count = unsigned_at(row, 0), .bytes = unsigned_at(row, 1)}; }));
  return use;
}

base::Result<std::vector<Reader::HostSnapshots>> SqlTx::host_snapshots() {
  std::map<std::string, HostSnapshots, std::less<>> found;
  FB_CHECK(query(kHostSnapshots, {}, [&](const sql::Row& row) {
    HostSnapshots& one = found[text_at(row, 0)];
    one.count += unsigned_at(row, 1);
    one.bytes += unsigned_at(row, 2);
    one.leaked_bytes += unsigned_at(row, 3);
  }));
  std::vector<HostSnapshots> all;
  for (auto& [host_id, one] : found) {
    one.host_id = host_id;
    all.push_back(std::move(one));
  }
  return all;
}

base::Result<std::vector<std::string>> SqlTx::seeds_in_use() {
  std::vector<std::string> ids;
  FB_CHECK(query(kSeedsInUse, {}, [&](const sql::Row& row) { ids.push_back(text_at(row, 0)); }));
  return ids;
}

base::Result<std::vector<SnapshotRow>> SqlTx::snapshots_due(base::Nanos now, base::Nanos used_before,
                                                            std::uint32_t limit) {
  FB_TRY(auto due, all_rows(connection(), kRetryDue, {now, limit}, snapshot_at));
  const auto left = [&] { return limit - static_cast<std::uint32_t>(due.size()); };
  if (left() != 0) {
    FB_TRY(auto begun, all_rows(connection(), kDeleting, {left()}, snapshot_at));
    for (SnapshotRow& row : begun) due.push_back(std::move(row));
  }
  if (left() != 0) {
    FB_TRY(auto past, all_rows(connection(), kPastRetention, {now, used_before, left()}, snapshot_at));
    for (SnapshotRow& row : past) due.push_back(std::move(row));
  }
  return due;
}

void SqlTx::insert_snapshot(const SnapshotRow& row) {
  std::vector<sql::Value> values{row.snapshot_id};
  add_common(values, row);
  connection_.execute(kInsert, values);
}

void SqlTx::update_snapshot(const SnapshotRow& row, SnapshotState expected) {
  std::vector<sql::Value> values{row.snapshot_id, to_string(expected)};
  add_common(values, row);
  connection_.execute(kUpdate, values);
}

void SqlTx::rename_snapshot(std::string_view from, std::string_view to) {
  execute(kRename, {from, to});
}

void SqlTx::touch_snapshot(std::string_view snapshot_id, base::Nanos at) {
  execute(kTouch, {snapshot_id, at});
}

void SqlTx::delete_snapshot(std::string_view snapshot_id) {
  execute(kDelete, {snapshot_id});
}

void SqlTx::delete_lineage(std::string_view vm_id) {
  execute(kDeleteLineage, {vm_id});
}

void SqlTx::fail_snapshots_of_host(std::string_view host_id, std::string_view last_error, base::Nanos at) {
  execute(kFailOfHost, {host_id, last_error, at});
}

base::Result<bool> SqlTx::snapshot_exists(std::string_view snapshot_id) {
  bool found = false;
  FB_CHECK(query(kExists, {snapshot_id}, [&](const sql::Row&) { found = true; }));
  return found;
}

base::Result<std::vector<LeakedArtifactRow>> SqlTx::leaked_artifacts(std::uint32_t limit) {
  return all_rows(connection(), kLeaks, {limit}, leak_at);
}

void SqlTx::put_leaked_artifact(const LeakedArtifactRow& row) {
  execute(kPutLeak, {row.host_id, row.snapshot_id, row.digest, row.last_error, row.size_bytes, row.first_seen_at,
                     row.last_try_at});
}

void SqlTx::delete_leaked_artifact(std::string_view host_id, std::string_view snapshot_id) {
  execute(kDeleteLeak, {host_id, snapshot_id});
}

}  // namespace fusebox::fleet
