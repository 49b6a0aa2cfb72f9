// orchestrator_operations: what is being done, so that a crash leaves something to go on from.
//
// Their writes are ordered by environment, not by operation: a cancellation names only the environment.
#include "base/text.h"
#include "fleet/store/queries.h"
#include "fleet/store/tx.h"
#include "fleet/store/words.h"

namespace fusebox::fleet {
namespace {

using sql::Guard;
using sql::Write;

#define FUSEBOX_SELECT_OPERATION                                                                                     \
  "SELECT op_id, kind, vm_id, snapshot_id, host_id, tenant_id, generation, step, state, detail_json, request_hash, " \
  "idem_scope, idem_key, response_status, response_json, owner, lease_until, attempts, error_code, last_error, "     \
  "created_at, updated_at, finished_at FROM orchestrator_operations"

constexpr std::string_view kTable = "orchestrator_operations";

constexpr sql::Query kById{"operation", "t", FUSEBOX_SELECT_OPERATION " WHERE op_id = ?1"};
constexpr sql::Query kByKey{"operation_of_key", "tt",
                            FUSEBOX_SELECT_OPERATION " WHERE idem_scope = ?1 AND idem_key = ?2 AND idem_key <> ''"};
constexpr sql::Query kUnfinished{"unfinished_operations", "t",
                                 FUSEBOX_SELECT_OPERATION
                                 " WHERE vm_id = ?1 AND vm_id <> '' AND state = 'running' ORDER BY op_id"};
constexpr sql::Query kExpired{"expired_operations", "zi",
                              FUSEBOX_SELECT_OPERATION
                              " WHERE state = 'running' AND lease_until < ?1 ORDER BY lease_until LIMIT ?2"};
constexpr sql::Query kKeyTaken{"operation_key_taken", "ttt",
                               "SELECT 1 FROM orchestrator_operations "
                               "WHERE idem_scope = ?1 AND idem_key = ?2 AND idem_key <> '' AND op_id <> ?3"};
constexpr sql::Query kKindTaken{"operation_kind_taken", "ttt",
                                "SELECT 1 FROM orchestrator_operations "
                                "WHERE vm_id = ?1 AND vm_id <> '' AND kind = ?2 AND state = 'running' AND op_id <> ?3"};
constexpr sql::Query kExists{"operation_exists", "t", "SELECT 1 FROM orchestrator_operations WHERE op_id = ?1"};

constexpr Write kInsert{
    .table = kTable,
    .types =
        "tttttti"
        "tttbttit"
        "tzitt"
        "zzz",
    .keys = 1,
    .columns =
        "vm_id, op_id, kind, snapshot_id, host_id, tenant_id, generation, "
        "step, state, detail_json, request_hash, idem_scope, idem_key, response_status, response_json, "
        "owner, lease_until, attempts, error_code, last_error, created_at, updated_at, finished_at",
    .rest = "ON CONFLICT DO NOTHING",
    .guard = {.one_row = true, .code = base::Errc::exists, .what = "there is already an operation", .key = 1}};

constexpr Write kUpdate{
    .kind = Write::Kind::update,
    .table = kTable,
    .types = "tttttittzitttzz",
    .keys = 1,
    .columns =
        "step = ?4, state = ?5, response_status = ?6, response_json = ?7, detail_json = ?8, lease_until = ?9, "
        "attempts = ?10, error_code = ?11, last_error = ?12, snapshot_id = ?13, updated_at = ?14, "
        "finished_at = ?15",
    .rest = "op_id = ?2 AND owner = ?3 AND state = 'running'",
    .guard = {.one_row = true, .code = base::Errc::stale, .what = "no longer ours to finish: operation", .key = 1}};

constexpr Write kTakeOver{
    .kind = Write::Kind::update,
    .table = kTable,
    .types = "ttzz",
    .keys = 1,
    .guard = {.one_row = true, .code = base::Errc::stale, .what = "not to be taken over: operation"},
    .alone = true,  // its environment is not known here
    .text =
        "UPDATE orchestrator_operations SET owner = ?2, lease_until = ?3, attempts = attempts + 1 "
        "WHERE op_id = ?1 AND state = 'running' AND (lease_until IS NULL OR lease_until < ?4)"};
constexpr Write kRenew{.kind = Write::Kind::update,
                       .table = kTable,
                       .types = "tz",
                       .keys = 1,
                       .alone = true,  // many rows
                       .text =
                           "UPDATE orchestrator_operations SET lease_until = ?2 "
                           "WHERE state = 'running' AND owner = ?1"};
constexpr Write kCancel{.kind = Write::Kind::update,
                        .table = kTable,
                        .types = "ttz",
                        .keys = 1,
                        .columns = "state = 'cancelled', lease_until = NULL, updated_at = ?3, finished_at = ?3",
                        .rest = "vm_id = ?1 AND vm_id <> '' AND state = 'running' AND op_id <> ?2"};

OperationRow operation_at(const sql::Row& row) {
  int at = 0;
  OperationRow out;
  out.op_id = row.text(at++);
  out.kind = row.text(at++);
  out.vm_id = row.text(at++);
  out.snapshot_id = row.text(at++);
  out.host_id = row.text(at++);
  out.tenant_id = row.text(at++);
  out.generation = unsigned_at(row, at++);
  out.step = row.text(at++);
  out.state = operation_state(row.text(at++));
  out.detail_json = row.text(at++);
  out.request_hash = bytes_at(row, at++);
  out.idem_scope = row.text(at++);
  out.idem_key = row.text(at++);
  out.response_status = small_at(row, at++);
  out.response_json = row.text(at++);
  out.owner = row.text(at++);
  out.lease_until = row.time(at++);
  out.attempts = small_at(row, at++);
  out.error_code = row.text(at++);
  out.last_error = row.text(at++);
  out.created_at = row.time(at++);
  out.updated_at = row.time(at++);
  out.finished_at = row.time(at++);
  return out;
}

// A finished operation has no lease.
base::Nanos lease_column(const OperationRow& row) {
  return row.state == OperationState::running ? row.lease_until : base::Nanos{0};
}

}  // namespace

base::Result<std::optional<OperationRow>> SqlTx::operation(std::string_view op_id) {
  return first_row(connection(), kById, {op_id}, operation_at);
}

base::Result<std::optional<OperationRow>> SqlTx::operation_of_key(std::string_view scope, std::string_view key) {
  return first_row(connection(), kByKey, {scope, key}, operation_at);
}

base::Result<std::vector<OperationRow>> SqlTx::unfinished_operations(std::string_view vm_id) {
  return all_rows(connection(), kUnfinished, {vm_id}, operation_at);
}

base::Result<std::vector<OperationRow>> SqlTx::expired_operations(base::Nanos now, std::uint32_t limit) {
  return all_rows(connection(), kExpired, {now, limit}, operation_at);
}

base::Result<std::vector<OperationRow>> SqlTx::operations(const OperationFilter& filter, std::string_view before,
                                                          std::uint32_t limit) {
  Filtered query(FUSEBOX_SELECT_OPERATION);
  if (!filter.tenant.empty()) query.where("tenant_id <> ''").where("tenant_id = ", 't', filter.tenant);
  // In words, for the index of the few that run.
  if (filter.state == to_string(OperationState::running)) query.where("state = 'running'");
  query.where("vm_id = ", filter.vm_id).where("state = ", filter.state).where("kind = ", filter.kind);
  if (!before.empty()) query.where("op_id < ", 't', before);
  query.append(" ORDER BY op_id DESC").limit(limit);
  return all_rows(connection(), query.query("operations"), query.values(), operation_at);
}

void SqlTx::insert_operation(const OperationRow& row) {
  inserted_.push_back({row.op_id, row.kind, row.vm_id, row.idem_scope, row.idem_key});
  execute(kInsert, {row.vm_id,        row.op_id,         row.kind,       row.snapshot_id,      row.host_id,
                    row.tenant_id,    row.generation,    row.step,       to_string(row.state), row.detail_json,
                    row.request_hash, row.idem_scope,    row.idem_key,   row.response_status,  row.response_json,
                    row.owner,        lease_column(row), row.attempts,   row.error_code,       row.last_error,
                    row.created_at,   row.updated_at,    row.finished_at});
}

void SqlTx::update_operation(const OperationRow& row) {
  execute(kUpdate, {row.vm_id, row.op_id, row.owner, row.step, to_string(row.state), row.response_status,
                    row.response_json, row.detail_json, lease_column(row), row.attempts, row.error_code, row.last_error,
                    row.snapshot_id, row.updated_at, row.finished_at});
}

void SqlTx::take_over_operation(std::string_view op_id, std::string_view owner, base::Nanos lease_until,
                                base::Nanos expired_before) {
  execute(kTakeOver, {op_id, owner, lease_until, expired_before});
}

void SqlTx::renew_leases(std::string_view owner, base::Nanos lease_until) {
  execute(kRenew, {owner, lease_until});
}

void SqlTx::cancel_operations(std::string_view vm_id, std::string_view except_op, base::Nanos at) {
  execute(kCancel, {vm_id, except_op, at});
}

base::Result<bool> SqlTx::operation_exists(std::string_view op_id) {
  bool found = false;
  FB_CHECK(query(kExists, {op_id}, [&](const sql::Row&) { found = true; }));
  return found;
}

// Which of the three keys was taken, asked in the transaction that met it.
base::Error SqlTx::diagnosed_operation(const base::Error& error, std::string_view op_id) {
  for (const InsertedOperation& op : inserted_) {
    if (!op_id.empty() && op.op_id != op_id) continue;
    bool key_taken = false;
    bool kind_taken = false;
    (void)query(kKeyTaken, {op.idem_scope, op.idem_key, op.op_id}, [&](const sql::Row&) { key_taken = true; });
    if (key_taken) {
      return {base::Errc::exists, "this idempotency key has been used", "idempotency", nullptr};
    }
    (void)query(kKindTaken, {op.vm_id, op.kind, op.op_id}, [&](const sql::Row&) { kind_taken = true; });
    if (kind_taken) {
      return {base::Errc::exists, "environment " + base::in_quotes(op.vm_id) + " has an unfinished " + op.kind,
              "operation", nullptr};
    }
  }
  return error;
}

}  // namespace fusebox::fleet
