// Tombstones, and what goes with time (contract control-plane.md 16.3).
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

// Each takes rows from the old end of an index, so that a run that finds nothing to do reads almost nothing.
constexpr Write old_rows(std::string_view table, std::string_view text) {
  return {.kind = Write::Kind::remove, .table = table, .types = "zi", .alone = true, .text = text};
}
// Events are written in the order of their ids.
constexpr Write kEvents =
    old_rows("orchestrator_events",
             "DELETE FROM orchestrator_events WHERE id IN (SELECT o.id FROM (SELECT id, created_at "
             "FROM orchestrator_events ORDER BY id LIMIT ?2) AS o WHERE o.created_at < ?1)");
#define FUSEBOX_ENDED \
  "(SELECT vm_id, incarnation FROM orchestrator_ended_vms WHERE ended_at < ?1 ORDER BY ended_at LIMIT 200) AS o"
constexpr Write kEnvEvents = old_rows("orchestrator_env_events",
                                      "DELETE FROM orchestrator_env_events WHERE (vm_id, incarnation, seq) IN "
                                      "(SELECT e.vm_id, e.incarnation, e.seq FROM " FUSEBOX_ENDED
                                      " JOIN orchestrator_env_events AS e ON e.vm_id = o.vm_id "
                                      "AND e.incarnation = o.incarnation LIMIT ?2)");
constexpr Write kEnvLogs = old_rows("orchestrator_env_logs",
                                    "DELETE FROM orchestrator_env_logs WHERE (vm_id, incarnation, source, seq) IN "
                                    "(SELECT l.vm_id, l.incarnation, l.source, l.seq FROM " FUSEBOX_ENDED
                                    " JOIN orchestrator_env_logs AS l ON l.vm_id = o.vm_id "
                                    "AND l.incarnation = o.incarnation LIMIT ?2)");
constexpr Write kEnded = old_rows("orchestrator_ended_vms",
                                  "DELETE FROM orchestrator_ended_vms WHERE (vm_id, incarnation) IN "
                                  "(SELECT o.vm_id, o.incarnation FROM " FUSEBOX_ENDED
                                  " WHERE NOT EXISTS (SELECT 1 FROM orchestrator_env_events AS e "
                                  "WHERE e.vm_id = o.vm_id AND e.incarnation = o.incarnation) "
                                  "AND NOT EXISTS (SELECT 1 FROM orchestrator_env_logs AS l "
                                  "WHERE l.vm_id = o.vm_id AND l.incarnation = o.incarnation) LIMIT ?2)");
// Their ids grow with time.
constexpr Write kOperations = old_rows("orchestrator_operations",
                                       "DELETE FROM orchestrator_operations WHERE op_id IN "
                                       "(SELECT o.op_id FROM (SELECT op_id, finished_at FROM orchestrator_operations "
                                       "ORDER BY op_id LIMIT ?2) AS o WHERE o.finished_at < ?1)");
constexpr Write kTombstones =
    old_rows("orchestrator_tombstones",
             "DELETE FROM orchestrator_tombstones WHERE (host_id, host_vm_name, generation) IN "
             "(SELECT host_id, host_vm_name, generation FROM orchestrator_tombstones "
             "WHERE removed_at < ?1 ORDER BY removed_at LIMIT ?2)");
constexpr Write kTasks =
    old_rows("orchestrator_tasks",
             "DELETE FROM orchestrator_tasks WHERE task_id IN (SELECT task_id FROM orchestrator_tasks "
             "WHERE run_status IN ('completed', 'failed') AND updated_at < ?1 LIMIT ?2)");
// Small tables.
constexpr Write kDeadLetters = old_rows("orchestrator_dead_letters",
                                        "DELETE FROM orchestrator_dead_letters WHERE id IN "
                                        "(SELECT id FROM orchestrator_dead_letters "
                                        "WHERE acknowledged_at IS NOT NULL OR last_seen_at < ?1 LIMIT ?2)");
constexpr Write kLogins = old_rows("orchestrator_logins",
                                   "DELETE FROM orchestrator_logins WHERE value_sha256 IN "
                                   "(SELECT value_sha256 FROM orchestrator_logins WHERE expires_at < ?1 LIMIT ?2)");

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

void SqlTx::prune(const Retention& retention, std::uint32_t limit) {
  execute(kEvents, {retention.events_before, limit});
  execute(kEnvEvents, {retention.env_events_before, limit});
  execute(kEnvLogs, {retention.env_events_before, limit});
  execute(kEnded, {retention.env_events_before, limit});
  execute(kOperations, {retention.operations_before, limit});
  execute(kTombstones, {retention.tombstones_before, limit});
  execute(kTasks, {retention.tasks_before, limit});
  execute(kDeadLetters, {retention.dead_letters_before, limit});
  execute(kLogins, {retention.logins_before, limit});
}

}  // namespace fusebox::fleet
