// orchestrator_env_events and orchestrator_env_logs: what clients follow, numbered without gaps.
#include <algorithm>

#include "fleet/store/codec.h"
#include "fleet/store/environment_columns.h"
#include "fleet/store/queries.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {
namespace {

using sql::Write;

#define FUSEBOX_SELECT_ENV_EVENT \
  "SELECT vm_id, incarnation, seq, kind, payload_json, created_at FROM orchestrator_env_events"

constexpr sql::Query kAfter{"env_events", "tbii",
                            FUSEBOX_SELECT_ENV_EVENT
                            " WHERE vm_id = ?1 AND incarnation = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4"};
// Few names are used twice, so this looks at one row.
constexpr sql::Query kEnded{"ended_environment", "t",
                            "SELECT incarnation, tenant_id, ended_at FROM orchestrator_ended_vms "
                            "WHERE vm_id = ?1 ORDER BY ended_at DESC LIMIT 1"};

// Ordered with the writes of the environment's row, whose counter gives the number: nobody can take one in between.
constexpr Write kCount{.kind = Write::Kind::update,
                       .table = "orchestrator_vms",
                       .types = "t",
                       .keys = 1,
                       .columns = "event_seq = event_seq + 1",
                       .rest = "vm_id = ?1",
                       .guard = {.one_row = true, .code = base::Errc::not_found, .what = "there is no environment"}};
constexpr sql::Query kCounted{"event_seq", "t", "SELECT incarnation, event_seq FROM orchestrator_vms WHERE vm_id = ?1"};
constexpr Write kAppendSqlite{
    .table = "orchestrator_env_events",
    .types = "tbittz",
    .keys = 3,
    .columns = "vm_id, incarnation, seq, kind, payload_json, created_at",
};
constexpr Write kAppendPostgres{
    .table = "orchestrator_vms",
    .types = "tttz",
    .keys = 1,
    .guard = {.one_row = true, .code = base::Errc::not_found, .what = "there is no environment"},
    .postgres =
        "WITH n AS (UPDATE orchestrator_vms SET event_seq = event_seq + 1 FROM {rows} WHERE vm_id = v.p1 "
        "RETURNING v.p1, incarnation, event_seq, v.p2, v.p3, v.p4), "
        "e AS (INSERT INTO orchestrator_env_events (vm_id, incarnation, seq, kind, payload_json, created_at) "
        "SELECT * FROM n RETURNING vm_id, incarnation, seq) "
        "SELECT vm_id, incarnation, seq, pg_notify('fusebox_events', vm_id || ':' || seq) FROM e"};

// Its row, its last events and since when they may go: in one statement, for the counter goes with the row.
constexpr Write kEndPostgres{
    .table = "orchestrator_vms",
    .types = "tittttz",
    .keys = 1,
    .guard = kEnvironmentUnchanged,
    .postgres =
        "WITH n AS (DELETE FROM orchestrator_vms AS e USING {rows} WHERE e.vm_id = v.p1 AND e.generation = v.p2 "
        "RETURNING e.vm_id, COALESCE(e.incarnation, '\\x') AS incarnation, e.tenant_id, e.event_seq, "
        "v.p3, v.p4, v.p5, v.p6, v.p7), "
        "g AS (INSERT INTO orchestrator_ended_vms (vm_id, incarnation, tenant_id, ended_at) "
        "SELECT vm_id, incarnation, tenant_id, p7 FROM n ON CONFLICT DO NOTHING), "
        "e AS (INSERT INTO orchestrator_env_events (vm_id, incarnation, seq, kind, payload_json, created_at) "
        "SELECT vm_id, incarnation, event_seq + 1, p3, p4, p7 FROM n WHERE p3 <> '' UNION ALL "
        "SELECT vm_id, incarnation, event_seq + CASE p3 WHEN '' THEN 1 ELSE 2 END, p5, p6, p7 FROM n "
        "RETURNING vm_id, seq) "
        "SELECT n.vm_id, n.incarnation, n.event_seq + 1, t.told FROM n JOIN (SELECT vm_id, "
        "COUNT(pg_notify('fusebox_events', vm_id || ':' || seq)) AS told FROM e GROUP BY vm_id) AS t USING (vm_id)"};

constexpr Write kAppendLog{
    .table = "orchestrator_vms",
    .types = "ttzb",
    .keys = 1,
    .text =
        "INSERT INTO orchestrator_env_logs (vm_id, incarnation, source, seq, at, data) "
        "SELECT e.vm_id, e.incarnation, ?2, COALESCE((SELECT MAX(l.seq) FROM orchestrator_env_logs AS l "
        "WHERE l.vm_id = e.vm_id AND l.incarnation = e.incarnation), 0) + 1, ?3, ?4 "
        "FROM orchestrator_vms AS e WHERE e.vm_id = ?1",
    .postgres =
        "INSERT INTO orchestrator_env_logs (vm_id, incarnation, source, seq, at, data) "
        "SELECT e.vm_id, e.incarnation, v.p2, COALESCE((SELECT MAX(l.seq) FROM orchestrator_env_logs AS l "
        "WHERE l.vm_id = e.vm_id AND l.incarnation = e.incarnation), 0) + 1, v.p3, v.p4 "
        "FROM {rows} JOIN orchestrator_vms AS e ON e.vm_id = v.p1"};
// The sizes alone are looked at, not the data.
constexpr Write kTrimLog{
    .kind = Write::Kind::remove,
    .table = "orchestrator_env_logs",
    .types = "tti",
    .alone = true,
    .text =
        "DELETE FROM orchestrator_env_logs WHERE vm_id = ?1 AND source = ?2 AND (incarnation, seq) IN "
        "(SELECT q.incarnation, q.seq FROM (SELECT l.incarnation, l.seq, SUM(LENGTH(l.data)) OVER "
        "(PARTITION BY l.incarnation ORDER BY l.seq DESC) AS newest FROM orchestrator_env_logs AS l "
        "WHERE l.vm_id = ?1 AND l.source = ?2) AS q WHERE q.newest > ?3)"};

Incarnation incarnation_at(const sql::Row& row, int column) {
  Incarnation out{};
  const base::ByteView bytes = row.bytes(column);
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
  return out;
}

EnvEventRow event_at(const sql::Row& row) {
  return {.vm_id = text_at(row, 0),
          .incarnation = incarnation_at(row, 1),
          .seq = unsigned_at(row, 2),
          .kind = text_at(row, 3),
          .payload_json = text_at(row, 4),
          .created_at = row.time(5)};
}

EnvLogRow log_at(const sql::Row& row) {
  const base::ByteView data = row.bytes(5);
  return {.vm_id = text_at(row, 0),
          .incarnation = incarnation_at(row, 1),
          .source = text_at(row, 2),
          .seq = unsigned_at(row, 3),
          .at = row.time(4),
          .data = std::string(base::as_text(data))};
}

EndedEnvironment ended_at(const sql::Row& row) {
  return {.incarnation = incarnation_at(row, 0), .tenant_id = text_at(row, 1), .ended_at = row.time(2)};
}

}  // namespace

base::Result<std::vector<EnvEventRow>> SqlTx::env_events(std::string_view vm_id, const Incarnation& incarnation,
                                                         std::uint64_t after_seq, std::uint32_t limit) {
  return all_rows(connection(), kAfter, {vm_id, base::ByteView(incarnation), after_seq, limit}, event_at);
}

base::Result<std::optional<EndedEnvironment>> SqlTx::ended_environment(std::string_view vm_id) {
  return first_row(connection(), kEnded, {vm_id}, ended_at);
}

void SqlTx::append_env_event(std::string_view vm_id, std::string_view kind, std::string_view payload_json) {
  Notice notice;
  notice.kind = Notice::Kind::env_event;
  notice.event = {.vm_id = std::string(vm_id),
                  .incarnation = {},
                  .seq = 0,
                  .kind = std::string(kind),
                  .payload_json = std::string(payload_json),
                  .created_at = clock_.wall()};
  const auto ticket = static_cast<std::uint32_t>(notices_.size());
  if (!write_waiting_with(notice.event, ticket)) {
    if (connection_.dialect() == sql::Dialect::postgres) {
      execute(kAppendPostgres, {vm_id, kind, payload_json, notice.event.created_at}, ticket);
    } else {
      execute(kCount, {vm_id});
      append_to_sqlite(notice.event);
    }
  }
  notices_.push_back(std::move(notice));
}

void SqlTx::end_environment(std::string_view vm_id, std::uint64_t expected_generation, const LastEvent& before,
                            const LastEvent& last) {
  write_waiting();
  const base::Nanos at = clock_.wall();
  const auto ticket = static_cast<std::uint32_t>(notices_.size());
  Incarnation incarnation{};
  std::uint64_t seq = 0;
  if (connection_.dialect() == sql::Dialect::postgres) {
    execute(kEndPostgres,
            {vm_id, expected_generation, before.kind, before.payload_json, last.kind, last.payload_json, at}, ticket);
  } else {
    auto counted = query(kCounted, {vm_id}, [&](const sql::Row& row) {
      incarnation = incarnation_at(row, 0);
      seq = unsigned_at(row, 1);
    });
    if (!counted) return fail(std::move(counted.error()));
  }
  for (const LastEvent& one : {before, last}) {
    if (one.kind.empty()) continue;
    Notice notice;
    notice.kind = Notice::Kind::env_event;
    notice.event = {.vm_id = std::string(vm_id),
                    .incarnation = incarnation,
                    .seq = 0,
                    .kind = std::string(one.kind),
                    .payload_json = std::string(one.payload_json),
                    .created_at = at};
    if (connection_.dialect() == sql::Dialect::sqlite) {
      notice.event.seq = ++seq;
      append_to_sqlite(notice.event);
    }
    notices_.push_back(std::move(notice));
  }
  if (connection_.dialect() == sql::Dialect::sqlite) {
    delete_environment(vm_id, expected_generation);
  } else {
    changed(vm_id);
  }
}

// The counter has been moved already.
void SqlTx::append_to_sqlite(EnvEventRow& event) {
  if (event.seq == 0) {
    auto numbered = query(kCounted, {event.vm_id}, [&](const sql::Row& row) {
      event.incarnation = incarnation_at(row, 0);
      event.seq = unsigned_at(row, 1);
    });
    if (!numbered) return fail(std::move(numbered.error()));
  }
  execute(kAppendSqlite, {event.vm_id, base::ByteView(event.incarnation), event.seq, event.kind, event.payload_json,
                          event.created_at});
}

// The number of the event that was given this ticket; what follows it in one statement has the next ones.
void SqlTx::returned(std::uint32_t ticket, const sql::Row& row) {
  const std::string_view vm_id = row.text(0);
  std::uint64_t seq = unsigned_at(row, 2);
  for (std::size_t at = ticket; at < notices_.size(); ++at) {
    EnvEventRow& event = notices_[at].event;
    const bool follows = at != ticket;
    if (notices_[at].kind != Notice::Kind::env_event || (follows && (event.vm_id != vm_id || event.seq != 0))) return;
    event.incarnation = incarnation_at(row, 1);
    event.seq = seq++;
  }
}

void SqlTx::append_env_log(std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view data) {
  execute(kAppendLog, {vm_id, source, at, data});
}

void SqlTx::trim_env_log(std::string_view vm_id, std::string_view source, std::uint64_t bytes_max) {
  execute(kTrimLog, {vm_id, source, bytes_max});
}

base::Result<std::vector<EnvLogRow>> SqlTx::env_logs(std::string_view vm_id, const Incarnation& incarnation,
                                                     std::span<const std::string> sources, base::Nanos since,
                                                     std::uint64_t after_seq, std::uint32_t limit) {
  Filtered query("SELECT vm_id, incarnation, source, seq, at, data FROM orchestrator_env_logs");
  std::string wanted = "vm_id = " + query.place('t', vm_id);
  wanted += " AND incarnation = " + query.place('b', base::ByteView(incarnation));
  wanted += " AND seq > " + query.place('i', after_seq);
  if (since.count() != 0) wanted += " AND at >= " + query.place('z', since);
  if (!sources.empty()) {
    std::string list;
    for (const std::string& source : sources) list += (list.empty() ? "" : ", ") + query.place('t', source);
    wanted += " AND source IN (" + list + ")";
  }
  // Where the page ends is found by the sizes, before any data is read.
  query.where(wanted)
      .where(
          "seq <= (SELECT MAX(q.seq) FROM (SELECT p.seq, SUM(p.size) OVER (ORDER BY p.seq) - p.size AS ahead FROM "
          "(SELECT seq, LENGTH(data) AS size FROM orchestrator_env_logs WHERE " +
          wanted + " ORDER BY seq LIMIT " + query.place('i', limit) + ") AS p) AS q WHERE q.ahead < " +
          query.place('i', kLogPageBytes) + ")")
      .append(" ORDER BY seq");
  return all_rows(connection(), query.query("env_logs"), query.values(), log_at);
}

}  // namespace fusebox::fleet
