// orchestrator_vms: one row per environment.
#include <algorithm>

#include "base/json.h"
#include "fleet/store/codec.h"
#include "fleet/store/environment_columns.h"
#include "fleet/store/queries.h"
#include "fleet/store/tx.h"
#include "fleet/store/words.h"

namespace fusebox::fleet {
namespace {

using sql::Guard;
using sql::Write;

#define FUSEBOX_SELECT_ENVIRONMENT "SELECT " FUSEBOX_ENVIRONMENT_COLUMNS " FROM orchestrator_vms"

constexpr sql::Query kById{"environment", "t", FUSEBOX_SELECT_ENVIRONMENT " WHERE vm_id = ?1"};
// PostgreSQL's answer to many names at once; SQLite, in this process, is asked for each.
constexpr sql::Query kNameUses{
    "name_uses", "j",
    "SELECT " FUSEBOX_ENVIRONMENT_COLUMNS
    ", n.at, (SELECT MAX(t.generation) FROM orchestrator_tombstones AS t WHERE t.host_id = '' "
    "AND t.host_vm_name = n.name) FROM jsonb_to_recordset(?1) AS n(at BIGINT, id TEXT, name TEXT) "
    "LEFT JOIN orchestrator_vms ON vm_id = n.id"};
constexpr sql::Query kLastGeneration{
    "last_generation", "t",
    "SELECT MAX(generation) FROM orchestrator_tombstones WHERE host_id = '' AND host_vm_name = ?1"};
// Behind the environment's columns.
constexpr int kNameAt = static_cast<int>(std::ranges::count(std::string_view(FUSEBOX_ENVIRONMENT_COLUMNS), ',')) + 1;
constexpr sql::Query kByTask{"environment_of_task", "t",
                             FUSEBOX_SELECT_ENVIRONMENT
                             " WHERE task_id = ?1 ORDER BY CASE state WHEN 'destroying' THEN 1 ELSE 0 END LIMIT 1"};
// Most have their own id as name there; an index holds the others.
constexpr sql::Query kOnHost{
    "environment_on_host", "tt",
    FUSEBOX_SELECT_ENVIRONMENT " WHERE vm_id = ?2 AND host_id = ?1 AND host_vm_name = ?2 UNION ALL "  //
    FUSEBOX_SELECT_ENVIRONMENT " WHERE host_vm_name = ?2 AND host_vm_name <> vm_id AND host_id = ?1"};
constexpr sql::Query kCounts{"environment_counts", "",
                             "SELECT state, backend, COUNT(*) FROM orchestrator_vms GROUP BY state, backend"};
constexpr sql::Query kExists{"environment_exists", "t", "SELECT 1 FROM orchestrator_vms WHERE vm_id = ?1"};

constexpr std::string_view kTable = kEnvironmentTable;
constexpr const Guard& kUnchanged = kEnvironmentUnchanged;

// Its events stay for a while (16.3); this row says since when they may go.
constexpr Write kEnded{
    .table = kTable,
    .types = "tz",
    .keys = 1,
    .text =
        "INSERT INTO orchestrator_ended_vms (vm_id, incarnation, tenant_id, ended_at) "
        "SELECT vm_id, COALESCE(incarnation, x''), tenant_id, ?2 FROM orchestrator_vms WHERE vm_id = ?1 "
        "ON CONFLICT DO NOTHING",
    .postgres =
        "INSERT INTO orchestrator_ended_vms (vm_id, incarnation, tenant_id, ended_at) "
        "SELECT e.vm_id, COALESCE(e.incarnation, '\\x'), e.tenant_id, v.p2 FROM {rows} "
        "JOIN orchestrator_vms AS e ON e.vm_id = v.p1 ON CONFLICT DO NOTHING"};
constexpr Write kDelete{.kind = Write::Kind::remove,
                        .table = kTable,
                        .types = "ti",
                        .keys = 1,
                        .rest = "vm_id = ?1 AND generation = ?2",
                        .guard = kUnchanged};

constexpr Write kHealth{.kind = Write::Kind::update,
                        .table = kTable,
                        .types = "titt",
                        .keys = 1,
                        .columns = "health_json = ?3, view_json = ?4",
                        .rest = "vm_id = ?1 AND generation = ?2",
                        .guard = kUnchanged};
constexpr Write kStrikes{.kind = Write::Kind::update,
                         .table = kTable,
                         .types = "tiiiz",
                         .keys = 1,
                         .columns = "stuck_strikes = ?3, idle_strikes = ?4, missing_seen_at = ?5",
                         .rest = "vm_id = ?1 AND generation = ?2",
                         .guard = kUnchanged};
constexpr Write kTouch{.kind = Write::Kind::update,
                       .table = kTable,
                       .types = "tz",
                       .keys = 1,
                       .columns = "last_activity_at = ?2",
                       .rest = "vm_id = ?1 AND (last_activity_at IS NULL OR last_activity_at < ?2)"};

EnvironmentRow environment_at(const sql::Row& row) {
  int at = 0;
  EnvironmentRow out;
  out.vm_id = row.text(at++);
  out.host_id = row.text(at++);
  out.host_vm_name = row.text(at++);
  out.generation = unsigned_at(row, at++);
  const base::ByteView incarnation = row.bytes(at++);
  std::copy_n(incarnation.begin(), std::min(incarnation.size(), out.incarnation.size()), out.incarnation.begin());
  out.state = environment_state(row.text(at++));
  out.backend = row.text(at++);
  out.url = row.text(at++);
  out.task_id = row.text(at++);
  out.tenant_id = row.text(at++);
  out.cpus = row.integer(at++);
  out.ram_mb = row.integer(at++);
  out.storage_gb = row.integer(at++);
  out.region = row.text(at++);
  out.max_runtime_seconds = row.integer(at++);
  out.idle_timeout_seconds = row.integer(at++);
  out.auth_token_sealed = bytes_at(row, at++);
  out.secrets_sealed = bytes_at(row, at++);
  out.boot_sealed = bytes_at(row, at++);
  out.cert_sha256 = bytes_at(row, at++);
  out.cert_not_after = row.time(at++);
  out.last_error = row.text(at++);
  out.endpoints_json = row.text(at++);
  out.gpus = row.integer(at++);
  out.gpu_kind = row.text(at++);
  out.gpu_profile = row.text(at++);
  out.gpu_uuids = list_of(row.text(at++));
  out.mig_instance_uuids = list_of(row.text(at++));
  out.spec_json = row.text(at++);
  out.source_vm_id = row.text(at++);
  out.source_snapshot_id = row.text(at++);
  out.op_id = row.text(at++);
  out.boot_id = row.text(at++);
  out.created_at = row.time(at++);
  out.updated_at = row.time(at++);
  out.state_changed_at = row.time(at++);
  out.running_at = row.time(at++);
  out.boot_ms = row.integer(at++);
  out.view_json = row.text(at++);
  out.view_version = small_at(row, at++);
  out.health_json = row.text(at++);
  out.last_activity_at = row.time(at++);
  out.stuck_strikes = small_at(row, at++);
  out.idle_strikes = small_at(row, at++);
  out.missing_seen_at = row.time(at++);
  out.event_seq = unsigned_at(row, at++);
  return out;
}

EnvironmentView view_at(const sql::Row& row) {
  return {.vm_id = text_at(row, 0),
          .host_id = text_at(row, 1),
          .view_json = text_at(row, 2),
          .view_version = small_at(row, 3)};
}

void add_filter(Filtered& query, const EnvironmentFilter& filter) {
  if (!filter.tenant.empty()) query.where("tenant_id <> ''").where("tenant_id = ", 't', filter.tenant);
  query.where("task_id = ", filter.task_id).where("state = ", filter.state).where("host_id = ", filter.host_id);
}
void add_page(Filtered& query, std::string_view after, std::uint32_t limit) {
  query.where("vm_id > ", 't', after).append(" ORDER BY vm_id").limit(limit);
}

}  // namespace

base::Result<std::optional<EnvironmentRow>> SqlTx::environment(std::string_view vm_id) {
  return first_row(connection(), kById, {vm_id}, environment_at);
}

base::Result<std::vector<Reader::NameUse>> SqlTx::name_uses(std::span<const Name> names) {
  std::vector<NameUse> uses(names.size());
  if (connection().dialect() == sql::Dialect::sqlite) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      FB_TRY(uses[i].row, environment(names[i].vm_id));
      if (names[i].host_vm_name.empty()) continue;
      FB_CHECK(query(kLastGeneration, {names[i].host_vm_name},
                     [&](const sql::Row& row) { uses[i].last_generation = unsigned_at(row, 0); }));
    }
    return uses;
  }
  base::json::Writer asked;
  asked.begin_array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string kept;
    asked.begin_object().key("at").unsigned_integer(i).key("id").string(storable_text(names[i].vm_id, kept));
    if (!names[i].host_vm_name.empty()) asked.key("name").string(storable_text(names[i].host_vm_name, kept));
    asked.end_object();
  }
  const std::string text = asked.end_array().take();
  FB_CHECK(query(kNameUses, {text}, [&](const sql::Row& row) {
    const std::size_t at = unsigned_at(row, kNameAt);
    if (at >= uses.size()) return;
    if (!row.is_null(0)) uses[at].row = environment_at(row);
    uses[at].last_generation = unsigned_at(row, kNameAt + 1);
  }));
  return uses;
}

base::Result<std::optional<EnvironmentRow>> SqlTx::environment_of_task(std::string_view task_id) {
  return first_row(connection(), kByTask, {task_id}, environment_at);
}

base::Result<std::optional<EnvironmentRow>> SqlTx::environment_on_host(std::string_view host_id,
                                                                       std::string_view host_vm_name) {
  return first_row(connection(), kOnHost, {host_id, host_vm_name}, environment_at);
}

base::Result<std::vector<EnvironmentView>> SqlTx::environment_views(const EnvironmentFilter& filter,
                                                                    std::string_view after, std::uint32_t limit) {
  Filtered query("SELECT vm_id, host_id, view_json, view_version FROM orchestrator_vms");
  add_filter(query, filter);
  add_page(query, after, limit);
  return all_rows(connection(), query.query("environment_views"), query.values(), view_at);
}

base::Result<std::vector<EnvironmentRow>> SqlTx::environments(const EnvironmentFilter& filter, std::string_view after,
                                                              std::uint32_t limit) {
  Filtered query(FUSEBOX_SELECT_ENVIRONMENT);
  add_filter(query, filter);
  add_page(query, after, limit);
  return all_rows(connection(), query.query("environments"), query.values(), environment_at);
}

base::Result<std::vector<EnvironmentRow>> SqlTx::environments_past(EnvironmentState state, base::Nanos running_before,
                                                                   std::string_view after, std::uint32_t limit) {
  Filtered query(FUSEBOX_SELECT_ENVIRONMENT);
  query.where("state = ", 't', to_string(state)).where("running_at < ", 'z', running_before);
  add_page(query, after, limit);
  return all_rows(connection(), query.query("environments_past"), query.values(), environment_at);
}

base::Result<std::uint64_t> SqlTx::count_environments(const EnvironmentFilter& filter) {
  Filtered query("SELECT COUNT(*) FROM orchestrator_vms");
  add_filter(query, filter);
  return number(connection(), query.query("count_environments"), query.values());
}

base::Result<std::vector<Reader::StateCount>> SqlTx::environment_counts() {
  std::vector<StateCount> counts;
  FB_CHECK(query(kCounts, {}, [&](const sql::Row& row) {
    counts.push_back({environment_state(row.text(0)), text_at(row, 1), unsigned_at(row, 2)});
  }));
  return counts;
}

void SqlTx::delete_environment(std::string_view vm_id, std::uint64_t expected_generation) {
  execute(kEnded, {vm_id, clock_.wall()});
  execute(kDelete, {vm_id, expected_generation});
  changed(vm_id);
}

void SqlTx::set_health(std::string_view vm_id, std::uint64_t expected_generation, std::string_view health_json,
                       std::string_view view_json) {
  execute(kHealth, {vm_id, expected_generation, health_json, view_json});
  changed(vm_id);
}

void SqlTx::set_strikes(std::string_view vm_id, std::uint64_t expected_generation, std::int32_t stuck,
                        std::int32_t idle, base::Nanos missing_seen_at) {
  execute(kStrikes, {vm_id, expected_generation, stuck, idle, missing_seen_at});
}

void SqlTx::touch_activity(std::string_view vm_id, base::Nanos at) {
  execute(kTouch, {vm_id, at});
}

base::Result<bool> SqlTx::environment_exists(std::string_view vm_id) {
  bool found = false;
  FB_CHECK(query(kExists, {vm_id}, [&](const sql::Row&) { found = true; }));
  return found;
}

}  // namespace fusebox::fleet
