// orchestrator_tasks, and the records kept for people: audit events and dead letters.
#include <limits>

#include "fleet/store/event_index.h"
#include "fleet/store/queries.h"
#include "fleet/store/tx.h"
#include "fleet/store/words.h"

namespace fusebox::fleet {
namespace {

using sql::Write;

constexpr sql::Query kTask{"task", "t",
                           "SELECT task_id, vm_id, run_status, retry_count, last_error, assigned_at, updated_at "
                           "FROM orchestrator_tasks WHERE task_id = ?1"};
constexpr Write kPutTask{.table = "orchestrator_tasks",
                         .types = "tttitzz",
                         .keys = 1,
                         .columns = "task_id, vm_id, run_status, retry_count, last_error, assigned_at, updated_at",
                         .rest =
                             "ON CONFLICT (task_id) DO UPDATE SET vm_id = excluded.vm_id, "
                             "run_status = excluded.run_status, retry_count = excluded.retry_count, "
                             "last_error = excluded.last_error, assigned_at = excluded.assigned_at, "
                             "updated_at = excluded.updated_at"};
constexpr Write kSetTask{.kind = Write::Kind::update,
                         .table = "orchestrator_tasks",
                         .types = "tttz",
                         .keys = 1,
                         .columns = "run_status = ?2, last_error = ?3, updated_at = ?4",
                         .rest = "task_id = ?1"};

constexpr Write kAddEvent{.table = "orchestrator_events",
                          .types = "tttjz",
                          .columns = "entity_type, entity_id, event_type, payload_json, created_at"};
constexpr sql::Query kEventIds{"event_ids", "",
                               "SELECT COALESCE((SELECT MIN(id) FROM orchestrator_events), 0), "
                               "COALESCE((SELECT MAX(id) FROM orchestrator_events), 0)"};
constexpr sql::Query kEventFrom{"event_from", "i",
                                "SELECT id, created_at FROM orchestrator_events WHERE id >= ?1 ORDER BY id LIMIT 1"};

constexpr sql::Query kDeadLetters{"dead_letters", "ii",
                                  "SELECT id, kind, entity_id, task_id, reason, payload_json, retry_count, "
                                  "first_seen_at, last_seen_at, acknowledged_at FROM orchestrator_dead_letters "
                                  "WHERE id > ?1 ORDER BY id LIMIT ?2"};
// A letter that comes again after somebody has seen it is news.
constexpr Write kPutDeadLetter{
    .table = "orchestrator_dead_letters",
    .types = "ttttijzz",
    .keys = 2,
    .columns = "kind, entity_id, task_id, reason, retry_count, payload_json, first_seen_at, last_seen_at",
    .rest =
        "ON CONFLICT (kind, entity_id) DO UPDATE SET reason = excluded.reason, "
        "retry_count = excluded.retry_count, payload_json = excluded.payload_json, "
        "last_seen_at = excluded.last_seen_at, acknowledged_at = NULL"};
constexpr Write kAcknowledge{
    .kind = Write::Kind::update,
    .table = "orchestrator_dead_letters",
    .types = "iz",
    .keys = 1,
    .guard = {.one_row = true, .code = base::Errc::not_found, .what = "there is no dead letter"},
    .alone = true,  // its key is another than that of the letters that come
    .text = "UPDATE orchestrator_dead_letters SET acknowledged_at = COALESCE(acknowledged_at, ?2) WHERE id = ?1"};

TaskRow task_at(const sql::Row& row) {
  return {.task_id = text_at(row, 0),
          .vm_id = text_at(row, 1),
          .run_status = task_status(row.text(2)),
          .retry_count = small_at(row, 3),
          .last_error = text_at(row, 4),
          .assigned_at = row.time(5),
          .updated_at = row.time(6)};
}

EventRow event_at(const sql::Row& row) {
  return {.id = row.integer(0),
          .entity_type = text_at(row, 1),
          .entity_id = text_at(row, 2),
          .event_type = text_at(row, 3),
          .payload_json = text_at(row, 4),
          .created_at = row.time(5)};
}

DeadLetterRow dead_letter_at(const sql::Row& row) {
  return {.id = row.integer(0),
          .kind = text_at(row, 1),
          .entity_id = text_at(row, 2),
          .task_id = text_at(row, 3),
          .reason = text_at(row, 4),
          .payload_json = text_at(row, 5),
          .retry_count = small_at(row, 6),
          .first_seen_at = row.time(7),
          .last_seen_at = row.time(8),
          .acknowledged_at = row.time(9)};
}

}  // namespace

base::Result<std::optional<TaskRow>> SqlTx::task(std::string_view task_id) {
  return first_row(connection(), kTask, {task_id}, task_at);
}

void SqlTx::put_task(const TaskRow& row) {
  execute(kPutTask, {row.task_id, row.vm_id, to_string(row.run_status), row.retry_count, row.last_error,
                     row.assigned_at, row.updated_at});
}

void SqlTx::set_task(std::string_view task_id, TaskStatus status, std::string_view last_error, base::Nanos at) {
  execute(kSetTask, {task_id, to_string(status), last_error, at});
}

void SqlTx::add_event(const EventRow& row) {
  execute(kAddEvent, {row.entity_type, row.entity_id, row.event_type, row.payload_json, row.created_at});
}

base::Result<std::vector<EventRow>> SqlTx::events(const EventFilter& filter, std::int64_t before_id,
                                                  std::uint32_t limit) {
  Filtered query("SELECT id, entity_type, entity_id, event_type, payload_json, created_at FROM orchestrator_events");
  query.where("entity_type = ", filter.entity_type)
      .where("entity_id = ", filter.entity_id)
      .where("event_type = ", filter.event_type);
  if (filter.entity_type && !is_common(FUSEBOX_RARE_ENTITY_TYPE, *filter.entity_type))
    query.where(FUSEBOX_RARE_ENTITY_TYPE);
  if (filter.event_type && !is_common(FUSEBOX_RARE_EVENT_TYPE, *filter.event_type))
    query.where(FUSEBOX_RARE_EVENT_TYPE);
  if (filter.since) {
    FB_TRY(const std::int64_t first, first_event_since(*filter.since));
    query.where("id >= ", 'i', first).where("created_at >= ", 'z', *filter.since);
  }
  if (before_id > 0) query.where("id < ", 'i', before_id);
  query.append(" ORDER BY id DESC").limit(limit);
  return all_rows(connection(), query.query("events"), query.values(), event_at);
}

// Ids grow with time, so it is found by halving; where the clock once jumped, the rows' own times decide.
base::Result<std::int64_t> SqlTx::first_event_since(base::Nanos since) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  FB_CHECK(query(kEventIds, {}, [&](const sql::Row& row) {
    low = row.integer(0);
    high = row.integer(1) + 1;
  }));
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    std::int64_t next_low = low;
    std::int64_t next_high = middle;
    FB_CHECK(query(kEventFrom, {middle}, [&](const sql::Row& row) {
      if (row.time(1) >= since) return;
      next_low = row.integer(0) + 1;
      next_high = high;
    }));
    low = next_low;
    high = next_high;
  }
  return low;
}

base::Result<std::vector<DeadLetterRow>> SqlTx::dead_letters(std::int64_t after_id, std::uint32_t limit) {
  return all_rows(connection(), kDeadLetters, {after_id, limit}, dead_letter_at);
}

void SqlTx::put_dead_letter(const DeadLetterRow& row) {
  execute(kPutDeadLetter, {row.kind, row.entity_id, row.task_id, row.reason, row.retry_count, row.payload_json,
                           row.first_seen_at, row.last_seen_at});
}

void SqlTx::acknowledge_dead_letter(std::int64_t id, base::Nanos at) {
  execute(kAcknowledge, {id, at});
}

}  // namespace fusebox::fleet
