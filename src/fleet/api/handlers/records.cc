// What the control plane keeps of its own work: operations, the audit log, what was given up.
#include <charconv>
#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api/frame/paging.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

using base::json::Writer;

void text(Writer& writer, std::string_view name, const std::string& value) {
  if (!value.empty()) writer.key(name).string(base::to_utf8(value));
}
void time(Writer& writer, std::string_view name, base::Nanos value) {
  if (value.count() != 0) writer.key(name).string(api_time(value));
}

std::string operation_json(const OperationRow& row) {
  Writer writer;
  writer.begin_object().key("id").string(row.op_id).key("kind").string(row.kind);
  writer.key("state").string(to_string(row.state));
  text(writer, "step", row.step);
  text(writer, "vm_id", row.vm_id);
  text(writer, "snapshot_id", row.snapshot_id);
  text(writer, "host_id", row.host_id);
  text(writer, "tenant_id", row.tenant_id);
  if (row.generation != 0) writer.key("generation").unsigned_integer(row.generation);
  if (row.attempts != 0) writer.key("attempts").integer(row.attempts);
  text(writer, "owner", row.owner);
  text(writer, "error_code", row.error_code);
  text(writer, "last_error", row.last_error);
  writer.key("created_at").string(api_time(row.created_at)).key("updated_at").string(api_time(row.updated_at));
  time(writer, "finished_at", row.finished_at);
  writer.end_object();
  return writer.take();
}

std::string payload_or_empty(const std::string& json) {
  return json.empty() ? "{}" : json;
}

std::string event_json(const EventRow& row) {
  Writer writer;
  writer.begin_object().key("id").integer(row.id);
  writer.key("entity_type").string(base::to_utf8(row.entity_type));
  writer.key("entity_id").string(base::to_utf8(row.entity_id)).key("event_type").string(base::to_utf8(row.event_type));
  writer.key("payload").raw(payload_or_empty(row.payload_json));
  writer.key("created_at").string(api_time(row.created_at)).end_object();
  return writer.take();
}

std::string dead_letter_json(const DeadLetterRow& row) {
  Writer writer;
  writer.begin_object().key("id").integer(row.id).key("kind").string(row.kind);
  writer.key("entity_id").string(base::to_utf8(row.entity_id));
  text(writer, "task_id", row.task_id);
  writer.key("reason").string(base::to_utf8(row.reason)).key("retry_count").integer(row.retry_count);
  writer.key("payload").raw(payload_or_empty(row.payload_json));
  writer.key("first_seen_at").string(api_time(row.first_seen_at));
  writer.key("last_seen_at").string(api_time(row.last_seen_at));
  time(writer, "acknowledged_at", row.acknowledged_at);
  writer.end_object();
  return writer.take();
}

// {"<name>":[...],"next_cursor"?}: `rows` holds one more than the page when there is another.
template <class Row, class Render, class Cursor>
Reply page(std::string_view name, std::vector<Row> rows, std::uint32_t limit, Render render, Cursor cursor) {
  const bool more = rows.size() > limit;
  if (more) rows.resize(limit);
  std::string json = "{\"" + std::string(name) + "\":[";
  for (const Row& row : rows) {
    if (json.back() != '[') json += ',';
    json += render(row);
  }
  json += ']';
  if (more) json.append(R"(,"next_cursor":")").append(cursor(rows.back())).append("\"");
  json += '}';
  return json_reply(std::move(json));
}

}  // namespace

base::Task<Answer> list_operations(Call& call) {
  const OperationFilter filter{call.principal->tenant, call.maybe("vm_id"), call.maybe("state"), call.maybe("kind")};
  FB_CO_TRY(const std::string before, read_cursor(call.text("cursor")));
  const std::uint32_t limit = page_limit(call.query.get("limit"));
  auto rows = co_await call.services.store.get<std::vector<OperationRow>>(
      call.home(), [&](Reader& reader) { return reader.operations(filter, before, limit + 1); });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  co_return page("operations", std::move(*rows), limit, operation_json,
                 [](const OperationRow& row) { return write_cursor(row.op_id); });
}

base::Task<Answer> get_operation(Call& call) {
  auto row = co_await call.services.store.get<std::optional<OperationRow>>(
      call.home(), [&call](Reader& reader) { return reader.operation(call.id()); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  const std::string& tenant = call.principal->tenant;
  if (!*row || (!tenant.empty() && (*row)->tenant_id != tenant)) {
    co_return refuse(404, "operation not found: " + call.id(), Details{{"op_id", call.id()}});
  }
  co_return json_reply(operation_json(**row));
}

base::Task<Answer> audit(Call& call) {
  // The log names things of every tenant: who sees one tenant alone sees none of it.
  if (!call.principal->tenant.empty()) co_return json_reply(R"({"events":[]})");
  EventFilter filter{call.maybe("entity_type"), call.maybe("entity_id"), call.maybe("event_type"), {}};
  if (const auto since = call.maybe("since")) {
    const auto at = base::parse_rfc3339(*since);
    if (!at) co_return refuse(400, "since: must be a time of RFC 3339");
    filter.since = *at;
  }
  FB_CO_TRY(const std::int64_t before, read_number_cursor(call.text("cursor")));
  const std::uint32_t limit = page_limit(call.query.get("limit"));
  auto rows = co_await call.services.store.get<std::vector<EventRow>>(
      call.home(), [&](Reader& reader) { return reader.events(filter, before, limit + 1); });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  co_return page("events", std::move(*rows), limit, event_json,
                 [](const EventRow& row) { return write_number_cursor(row.id); });
}

base::Task<Answer> list_dead_letters(Call& call) {
  if (!call.principal->tenant.empty()) co_return json_reply(R"({"dead_letters":[]})");
  FB_CO_TRY(const std::int64_t after, read_number_cursor(call.text("cursor")));
  const std::uint32_t limit = page_limit(call.query.get("limit"));
  auto rows = co_await call.services.store.get<std::vector<DeadLetterRow>>(
      call.home(), [&](Reader& reader) { return reader.dead_letters(after, limit + 1); });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  co_return page("dead_letters", std::move(*rows), limit, dead_letter_json,
                 [](const DeadLetterRow& row) { return write_number_cursor(row.id); });
}

base::Task<Answer> acknowledge_dead_letter(Call& call) {
  std::int64_t id = 0;
  const std::string& text = call.id();
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const auto unknown = [&text] { return refuse(404, "dead letter not found: " + text); };
  if (error != std::errc{} || stop != text.data() + text.size() || id <= 0 || !call.principal->tenant.empty()) {
    co_return unknown();
  }
  auto rows = co_await call.services.store.get<std::vector<DeadLetterRow>>(
      call.home(), [id](Reader& reader) { return reader.dead_letters(id - 1, 1); });
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  if (rows->empty() || rows->front().id != id) co_return unknown();
  FB_CO_CHECK(co_await call.services.store.write(call.home(), [&call, id](Tx& tx) -> base::Result<void> {
    tx.acknowledge_dead_letter(id, call.services.clock.wall());
    return {};
  }));
  co_return no_content();
}

}  // namespace fusebox::fleet::handle
