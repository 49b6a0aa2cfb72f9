// orchestrator_env_events and orchestrator_env_logs: what clients follow, numbered without gaps.
#include <algorithm>

#include "fleet/store/codec.h"
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
constexpr sql::Query kLastOf{"last_env_event", "tb",
                             FUSEBOX_SELECT_ENV_EVENT
                             " WHERE vm_id = ?1 AND incarnation = ?2 ORDER BY seq DESC LIMIT 1"};
// Of one that has ended: few names are used twice, so this looks at the events of one environment.
constexpr sql::Query kLast{"last_env_event", "t",
                           FUSEBOX_SELECT_ENV_EVENT " WHERE vm_id = ?1 ORDER BY created_at DESC, seq DESC LIMIT 1"};

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
constexpr sql::Query kLogIncarnation{"env_log_incarnation", "t",
                                     "SELECT incarnation FROM orchestrator_env_logs WHERE vm_id = ?1 "
                                     "ORDER BY at DESC LIMIT 1"};

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

}  // namespace

base::Result<std::vector<EnvEventRow>> SqlTx::env_events(std::string_view vm_id, const Incarnation& incarnation,
                                                         std::uint64_t after_seq, std::uint32_t limit) {
  return all_rows(connection(), kAfter, {vm_id, base::ByteView(incarnation), after_seq, limit}, event_at);
}

base::Result<std::optional<EnvEventRow>> SqlTx::last_env_event(std::string_view vm_id) {
  FB_TRY(const std::optional<Incarnation> living, incarnation_now(vm_id));
  if (living) {
    FB_TRY(auto last, first_row(connection(), kLastOf, {vm_id, base::ByteView(*living)}, event_at));
    if (last) return last;
  }
  return first_row(connection(), kLast, {vm_id}, event_at);
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

void SqlTx::returned(std::uint32_t ticket, const sql::Row& row) {
  if (ticket >= notices_.size()) return;
  EnvEventRow& event = notices_[ticket].event;
  event.incarnation = incarnation_at(row, 1);
  event.seq = unsigned_at(row, 2);
}

void SqlTx::append_env_log(std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view data) {
  execute(kAppendLog, {vm_id, source, at, data});
}

base::Result<std::vector<EnvLogRow>> SqlTx::env_logs(std::string_view vm_id, std::span<const std::string> sources,
                                                     base::Nanos since, std::uint64_t after_seq, std::uint32_t limit) {
  FB_TRY(std::optional<Incarnation> incarnation, incarnation_now(vm_id));
  if (!incarnation) {
    FB_TRY(incarnation, first_row<Incarnation>(connection(), kLogIncarnation, {vm_id},
                                               [](const sql::Row& row) { return incarnation_at(row, 0); }));
  }
  if (!incarnation) return std::vector<EnvLogRow>{};
  Filtered query("SELECT vm_id, incarnation, source, seq, at, data FROM orchestrator_env_logs");
  query.where("vm_id = ", 't', vm_id)
      .where("incarnation = ", 'b', base::ByteView(*incarnation))
      .where("seq > ", 'i', after_seq);
  if (since.count() != 0) query.where("at >= ", 'z', since);
  if (!sources.empty()) {
    std::string list;
    for (const std::string& source : sources) list += (list.empty() ? "" : ", ") + query.place('t', source);
    query.where("source IN (" + list + ")");
  }
  query.append(" ORDER BY seq").limit(limit);
  return all_rows(connection(), query.query("env_logs"), query.values(), log_at);
}

}  // namespace fusebox::fleet
