// orchestrator_tasks, and the records kept for people: audit events and dead letters.
#include <limits>

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
constexpr sql::Query kEventTime{"event_time", "i", "SELECT created_at FROM orchestrator_events WHERE id = ?1"};

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

// Without a type or entity in the order of the ids, which is that of the primary key; else in that of time, which the
// indexes hold: the same but for clocks that jump.
base::Result<std::vector<EventRow>> SqlTx::events(const EventFilter& filter, std::int64_t before_id,
                                                  std::uint32_t limit) {
  Filtered query("SELECT id, entity_type, entity_id, event_type, payload_json, created_at FROM orchestrator_events");
  query.where("entity_type = ", filter.entity_type)
      .where("entity_id = ", filter.entity_id)
      .where("event_type = ", filter.event_type);
  if (filter.since) query.where("created_at >= ", 'z', *filter.since);
  const bool by_time = filter.entity_type || filter.entity_id || filter.event_type;
  if (before_id > 0 && by_time) {
    base::Nanos before{0};
    const sql::Value id[] = {before_id};
    FB_CHECK(connection().query(kEventTime, id, [&](const sql::Row& row) { before = row.time(0); }));
    if (before.count() == 0) return std::vector<EventRow>{};  // past its retention, and so is all before it
    const std::string time = query.place('z', before);
    query.where("(created_at < " + time + " OR (created_at = " + time + " AND id < " + query.place('i', before_id) +
                "))");
  } else if (before_id > 0) {
    query.where("id < ", 'i', before_id);
  }
  query.append(by_time ? " ORDER BY created_at DESC, id DESC" : " ORDER BY id DESC").limit(limit);
  return all_rows(connection(), query.query("events"), query.values(), event_at);
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
