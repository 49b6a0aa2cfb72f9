// Tombstones, and what goes with time (contract control-plane.md 16.3).
#include <utility>

#include "fleet/store/queries.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {
namespace {

using sql::Write;

constexpr sql::Query kTombstone{"tombstone", "tt",
                                "SELECT host_id, host_vm_name, vm_id, reason, generation, removed_at "
                                "FROM orchestrator_tombstones WHERE host_id = ?1 AND host_vm_name = ?2 "
                                "ORDER BY generation DESC LIMIT 1"};
constexpr Write kPutTombstone{.table = "orchestrator_tombstones",
                              .types = "ttittz",
                              .keys = 3,
                              .columns = "host_id, host_vm_name, generation, vm_id, reason, removed_at",
                              .rest =
                                  "ON CONFLICT (host_id, host_vm_name, generation) DO UPDATE SET "
                                  "vm_id = excluded.vm_id, reason = excluded.reason, "
                                  "removed_at = excluded.removed_at"};

// Each takes rows from the old end of an index, so that a run that finds nothing to do reads almost nothing. What is left
// for another run is asked for in the same words.
struct OldRows {
  Write remove;
  sql::Query left;
};
constexpr OldRows old_rows(std::string_view table, std::string_view remove, std::string_view left) {
  return {.remove = {.kind = Write::Kind::remove, .table = table, .types = "zi", .alone = true, .text = remove},
          .left = {.name = "retention_left", .types = "zi", .text = left}};
}
#define FUSEBOX_OLD_ROWS(table, key, select) \
  old_rows(table, "DELETE FROM " table " WHERE " key " IN (" select ")", "SELECT 1 WHERE EXISTS (" select ")")
// Events are written in the order of their ids.
constexpr OldRows kEvents = FUSEBOX_OLD_ROWS("orchestrator_events", "id",
                                             "SELECT o.id FROM (SELECT id, created_at FROM orchestrator_events "
                                             "ORDER BY id LIMIT ?2) AS o WHERE o.created_at < ?1");
#define FUSEBOX_ENDED \
  "(SELECT vm_id, incarnation FROM orchestrator_ended_vms WHERE ended_at < ?1 ORDER BY ended_at LIMIT 200) AS o"
constexpr OldRows kEnvEvents = FUSEBOX_OLD_ROWS("orchestrator_env_events", "(vm_id, incarnation, seq)",
                                                "SELECT e.vm_id, e.incarnation, e.seq FROM " FUSEBOX_ENDED
                                                " JOIN orchestrator_env_events AS e ON e.vm_id = o.vm_id "
                                                "AND e.incarnation = o.incarnation LIMIT ?2");
constexpr OldRows kEnvLogs = FUSEBOX_OLD_ROWS("orchestrator_env_logs", "(vm_id, incarnation, source, seq)",
                                              "SELECT l.vm_id, l.incarnation, l.source, l.seq FROM " FUSEBOX_ENDED
                                              " JOIN orchestrator_env_logs AS l ON l.vm_id = o.vm_id "
                                              "AND l.incarnation = o.incarnation LIMIT ?2");
constexpr OldRows kEnded = FUSEBOX_OLD_ROWS("orchestrator_ended_vms", "(vm_id, incarnation)",
                                            "SELECT o.vm_id, o.incarnation FROM " FUSEBOX_ENDED
                                            " WHERE NOT EXISTS (SELECT 1 FROM orchestrator_env_events AS e "
                                            "WHERE e.vm_id = o.vm_id AND e.incarnation = o.incarnation) "
                                            "AND NOT EXISTS (SELECT 1 FROM orchestrator_env_logs AS l "
                                            "WHERE l.vm_id = o.vm_id AND l.incarnation = o.incarnation) LIMIT ?2");
// Their ids grow with time.
constexpr OldRows kOperations = FUSEBOX_OLD_ROWS("orchestrator_operations", "op_id",
                                                 "SELECT o.op_id FROM (SELECT op_id, finished_at "
                                                 "FROM orchestrator_operations ORDER BY op_id LIMIT ?2) AS o "
                                                 "WHERE o.finished_at < ?1");
constexpr OldRows kTombstones = FUSEBOX_OLD_ROWS("orchestrator_tombstones", "(host_id, host_vm_name, generation)",
                                                 "SELECT host_id, host_vm_name, generation "
                                                 "FROM orchestrator_tombstones WHERE removed_at < ?1 "
                                                 "ORDER BY removed_at LIMIT ?2");
constexpr OldRows kTasks = FUSEBOX_OLD_ROWS("orchestrator_tasks", "task_id",
                                            "SELECT task_id FROM orchestrator_tasks "
                                            "WHERE run_status IN ('completed', 'failed') AND updated_at < ?1 LIMIT ?2");
// Small tables.
constexpr OldRows kDeadLetters = FUSEBOX_OLD_ROWS("orchestrator_dead_letters", "id",
                                                  "SELECT id FROM orchestrator_dead_letters "
                                                  "WHERE acknowledged_at IS NOT NULL OR last_seen_at < ?1 LIMIT ?2");
constexpr OldRows kLogins = FUSEBOX_OLD_ROWS("orchestrator_logins", "value_sha256",
                                             "SELECT value_sha256 FROM orchestrator_logins "
                                             "WHERE expires_at < ?1 LIMIT ?2");
constexpr OldRows kReplicas = FUSEBOX_OLD_ROWS("orchestrator_replicas", "replica_id",
                                               "SELECT replica_id FROM orchestrator_replicas "
                                               "WHERE heartbeat_at < ?1 LIMIT ?2");

TombstoneRow tombstone_at(const sql::Row& row) {
  return {.host_id = text_at(row, 0),
          .host_vm_name = text_at(row, 1),
          .vm_id = text_at(row, 2),
          .reason = text_at(row, 3),
          .generation = unsigned_at(row, 4),
          .removed_at = row.time(5)};
}

}  // namespace

base::Result<std::optional<TombstoneRow>> SqlTx::tombstone(std::string_view host_id, std::string_view host_vm_name) {
  return first_row(connection(), kTombstone, {host_id, host_vm_name}, tombstone_at);
}

void SqlTx::put_tombstone(const TombstoneRow& row) {
  execute(kPutTombstone, {row.host_id, row.host_vm_name, row.generation, row.vm_id, row.reason, row.removed_at});
}

base::Result<bool> SqlTx::prune(const Retention& retention, std::uint32_t limit) {
  const std::pair<const OldRows*, base::Nanos> tables[] = {
      {&kEvents, retention.events_before},         {&kEnvEvents, retention.env_events_before},
      {&kEnvLogs, retention.env_events_before},    {&kEnded, retention.env_events_before},
      {&kOperations, retention.operations_before}, {&kTombstones, retention.tombstones_before},
      {&kTasks, retention.tasks_before},           {&kDeadLetters, retention.dead_letters_before},
      {&kLogins, retention.logins_before},         {&kReplicas, retention.replicas_before}};
  for (const auto& [table, before] : tables) execute(table->remove, {before, limit});
  bool more = false;
  for (const auto& [table, before] : tables) {
    if (more) break;
    FB_CHECK(query(table->left, {before, limit}, [&](const sql::Row&) { more = true; }));
  }
  return more;
}

}  // namespace fusebox::fleet
