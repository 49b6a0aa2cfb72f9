#include "cli/fleet/output.h"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <ostream>
#include <utility>

#include "base/bytes.h"
#include "base/units.h"
#include "cli/container/table.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;

constexpr std::string_view kZeroTime = "0001-01-01T00:00:00";  // contract 1.3: never
constexpr const char* kPageMax = "200";                        // the server's
constexpr std::size_t kPagesMax = 5000;                        // a million objects: a server that never ends is broken

constexpr std::array kEnvironmentColumns{
    Column{"ID", "id"},
    Column{"STATE", "state"},
    Column{"TASK", "task_id"},
    Column{"HOST", "host_id"},
    Column{"BACKEND", "backend"},
    Column{"IMAGE", "spec.image"},
    Column{"HEALTH", "health.state"},
    Column{"URL", "url"},
    Column{"AGE", "created_at", Show::age},
};
constexpr std::array kHostColumns{
    Column{"ID", "id"},
    Column{"STATE", "state"},
    Column{"REACHABLE", "reachability.state"},
    Column{"BACKEND", "backend"},
    Column{"ARCH", "capacity.arch"},
    Column{"CPUS", "capacity.cpus"},
    Column{"USED", "allocated.cpus"},
    Column{"RAM MB", "capacity.ram_mb"},
    Column{"USED", "allocated.ram_mb"},
    Column{"VMS", "capacity.vm_count"},
    Column{"USED", "allocated.vm_count"},
    Column{"GPUS", "capacity.gpus"},
    Column{"SEEN", "last_seen", Show::age},
};
constexpr std::array kSnapshotColumns{
    Column{"ID", "id"},
    Column{"STATE", "state"},
    Column{"MODE", "mode"},
    Column{"KIND", "kind"},
    Column{"VM", "vm_id"},
    Column{"NAME", "name"},
    Column{"COMMENT", "comment"},
    Column{"SIZE", "size_bytes", Show::bytes},
    Column{"AGE", "created_at", Show::age},
};
constexpr std::array kKeyColumns{
    Column{"ID", "id"},
    Column{"LABEL", "label"},
    Column{"SCOPES", "scopes"},
    Column{"TENANT", "tenant_id"},
    Column{"CREATED", "created_at", Show::age},
    Column{"USED", "last_used_at", Show::age},
    Column{"EXPIRES", "expires_at"},
    Column{"REVOKED", "revoked_at"},
};
constexpr std::array kOperationColumns{
    Column{"ID", "id"},
    Column{"KIND", "kind"},
    Column{"STATE", "state"},
    Column{"STEP", "step"},
    Column{"VM", "vm_id"},
    Column{"SNAPSHOT", "snapshot_id"},
    Column{"HOST", "host_id"},
    Column{"TRIES", "attempts"},
    Column{"ERROR", "error_code"},
    Column{"AGE", "created_at", Show::age},
};
constexpr std::array kAuditColumns{
    Column{"AT", "created_at"},    Column{"EVENT", "event_type"}, Column{"TYPE", "entity_type"},
    Column{"ENTITY", "entity_id"}, Column{"PAYLOAD", "payload"},
};
constexpr std::array kDeadLetterColumns{
    Column{"ID", "id"},
    Column{"KIND", "kind"},
    Column{"ENTITY", "entity_id"},
    Column{"TASK", "task_id"},
    Column{"REASON", "reason"},
    Column{"TRIES", "retry_count"},
    Column{"SEEN", "last_seen_at", Show::age},
    Column{"ACKNOWLEDGED", "acknowledged_at"},
};

std::string as_bytes(const std::string& text) {
  std::uint64_t bytes = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec != std::errc()) return text;
  constexpr std::array kUnits{"B", "K", "M", "G", "T"};
  std::size_t unit = 0;
  while (bytes >= 10'240 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\t') c = ' ';
  return text;
}

base::Result<const json::Node*> list_of(const json::Document& page, const Kind& kind) {
  const json::Node* list = page.root->find(kind.list_key);
  if (list != nullptr && list->is_array()) return list;
  return base::fail(base::Errc::io, "the server's answer has no list \"" + std::string(kind.list_key) + "\"");
}

void collect(const json::Node& list, std::vector<const json::Node*>& items) {
  for (const json::Node& item : list.elements()) items.push_back(&item);
}

void print_fields(Session& session, const json::Node& object) {
  Table table({"FIELD", "VALUE"});
  for (std::size_t i = 0; i < object.keys().size(); ++i)
    table.add({printable(object.keys()[i]), one_line(printable(scalar_text(object.elements()[i])))});
  table.print(session.out());
}

void print_json_list(Session& session, const Kind& kind, std::span<const json::Node* const> items,
                     const std::string& next) {
  json::Writer out;
  out.begin_object().key(kind.list_key).begin_array();
  for (const json::Node* item : items) out.raw(json::canonical(*item));
  out.end_array();
  if (!next.empty()) out.key("next_cursor").string(next);
  session.out() << out.end_object().take() << '\n';
}

}  // namespace

const Kind kEnvironments{"environments", "id", kEnvironmentColumns};
const Kind kHosts{"hosts", "id", kHostColumns};
const Kind kSnapshots{"snapshots", "id", kSnapshotColumns};
const Kind kKeys{"api_keys", "id", kKeyColumns};
const Kind kOperations{"operations", "id", kOperationColumns};
const Kind kAuditEvents{"events", "id", kAuditColumns};
const Kind kDeadLetters{"dead_letters", "id", kDeadLetterColumns};

std::string cell(const json::Node& object, const Column& column, base::Nanos now) {
  const json::Node* member = node_at(object, column.path);
  std::string text;
  if (member != nullptr && member->is_array()) {
    for (const json::Node& item : member->elements()) text += (text.empty() ? "" : ",") + scalar_text(item);
  } else if (member != nullptr) {
    text = scalar_text(*member);
  }
  if (text.empty()) return "-";
  if (column.show == Show::age) {
    if (text.starts_with(kZeroTime)) return "-";
    const auto at = base::parse_rfc3339(text);
    if (!at) return one_line(printable(text));
    return age_text(now - *at);
  }
  if (column.show == Show::bytes) return as_bytes(text);
  return one_line(printable(text));
}

void print_items(Session& session, const Kind& kind, std::span<const json::Node* const> items) {
  if (session.format() == Format::name) {
    for (const json::Node* item : items) session.out() << one_line(printable(text_at(*item, kind.id_key))) << '\n';
    return;
  }
  // A column in which nobody has anything is left out, but for the first.
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows(items.size());
  for (const Column& column : kind.columns) {
    std::vector<std::string> cells;
    bool any = items.empty() || column.path == kind.id_key;
    for (const json::Node* item : items) {
      cells.push_back(cell(*item, column, session.clock().wall()));
      any = any || cells.back() != "-";
    }
    if (!any) continue;
    header.emplace_back(column.header);
    for (std::size_t i = 0; i < items.size(); ++i) rows[i].push_back(std::move(cells[i]));
  }
  Table table(std::move(header));
  for (auto& row : rows) table.add(std::move(row));
  table.print(session.out());
}

base::Result<int> show_object(Session& session, const Kind& kind, const ApiReply& reply) {
  FB_TRY(const json::Document document, reply.document());
  if (session.json()) {
    session.show_json(json::canonical(*document.root));
  } else if (session.format() == Format::name) {
    session.out() << one_line(printable(text_at(*document.root, kind.id_key))) << '\n';
  } else {
    print_fields(session, *document.root);
  }
  return kDone;
}

base::Result<int> show_id(Session& session, const Kind& kind, const ApiReply& reply) {
  if (session.json()) return show_object(session, kind, reply);
  FB_TRY(const json::Document document, reply.document());
  session.out() << one_line(printable(text_at(*document.root, kind.id_key))) << '\n';
  return kDone;
}

base::Result<int> show_done(Session& session, std::string_view id, std::string_view sentence) {
  if (session.json()) {
    json::Writer out;
    session.show_json(out.begin_object().key("id").string(base::to_utf8(id)).end_object().take());
  } else if (session.format() == Format::name) {
    session.out() << id << '\n';
  } else {
    session.out() << printable(id) << ' ' << sentence << '\n';
  }
  return kDone;
}

ShownList::ShownList(Session& session, const Kind& kind, bool several) : session_(session), kind_(kind) {
  if (several && session.json()) session.list_ = &objects_;
}

ShownList::~ShownList() {
  if (std::exchange(session_.list_, nullptr) == nullptr) return;
  json::Writer out;
  out.begin_object().key(kind_.list_key).begin_array();
  for (const std::string& object : objects_) out.raw(object);
  session_.out() << out.end_array().end_object().take() << '\n';
}

base::Result<int> for_each(Session& session, const Kind& kind, const std::vector<std::string>& names,
                           const std::function<base::Result<void>(const std::string&)>& action) {
  const ShownList list(session, kind, names.size() != 1);
  int status = kDone;
  for (const std::string& name : names) {
    const auto done = base::within(name, action(name));
    if (done) continue;
    const int failed = tell(session.streams(), done.error());
    if (status == kDone) status = failed;
  }
  return status;
}

void add_list_options(CLI::App& verb, ListOptions& options) {
  verb.add_flag("--all,-a", options.all, "every page");
  verb.add_option("--limit", options.limit, "objects of one page (default 50, at most 200)");
  verb.add_option("--cursor", options.cursor, "go on where a page ended: its next_cursor");
}

base::Result<std::vector<json::Document>> fetch_all(ApiClient& api, ApiRequest request) {
  std::vector<json::Document> pages;
  request.query.emplace_back("limit", kPageMax);
  std::string cursor;
  do {
    ApiRequest asked = request;
    if (!cursor.empty()) asked.query.emplace_back("cursor", cursor);
    FB_TRY(const ApiReply reply, api.call(std::move(asked)));
    FB_TRY(json::Document page, reply.document());
    std::string next = text_member(*page.root, "next_cursor");
    if (next == cursor && !next.empty())
      return base::fail(base::Errc::io, "the server's pages do not end: it repeats a cursor");
    cursor = std::move(next);
    pages.push_back(std::move(page));
  } while (!cursor.empty() && pages.size() < kPagesMax);
  return pages;
}

base::Result<int> show_list(Session& session, const Kind& kind, ApiRequest request, const ListOptions& options) {
  FB_TRY(ApiClient* const api, session.api());
  std::erase_if(request.query, [](const Pair& pair) { return pair.second.empty(); });
  std::vector<json::Document> pages;
  if (options.all) {
    FB_TRY(pages, fetch_all(*api, std::move(request)));
  } else {
    if (!options.limit.empty()) request.query.emplace_back("limit", options.limit);
    if (!options.cursor.empty()) request.query.emplace_back("cursor", options.cursor);
    FB_TRY(const ApiReply reply, api->call(std::move(request)));
    FB_TRY(json::Document page, reply.document());
    pages.push_back(std::move(page));
  }
  std::vector<const json::Node*> items;
  for (const json::Document& page : pages) {
    FB_TRY(const json::Node* const list, list_of(page, kind));
    collect(*list, items);
  }
  const std::string next = text_member(*pages.back().root, "next_cursor");
  if (session.json()) {
    print_json_list(session, kind, items, next);
    return kDone;
  }
  print_items(session, kind, items);
  if (!next.empty()) session.note("there are more: --all, or --cursor " + next);
  return kDone;
}

}  // namespace fusebox::cli::fleet
