// Whole rows of orchestrator_vms, written together with the event that says what happened to them.
//
// A row is about two kilobytes, and its counter numbers the event: written one after the other they would be two versions
// of the row.
#include <optional>
#include <utility>
#include <vector>

#include "fleet/store/codec.h"
#include "fleet/store/environment_columns.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {
namespace {

using sql::Guard;
using sql::Write;

constexpr Guard kNew{.one_row = true, .code = base::Errc::exists, .what = "there is already an environment"};

#define FUSEBOX_UPDATED_TYPES \
  "ttibttttt"                 \
  "iiitii"                    \
  "bbbbz"                     \
  "ttittjjt"                  \
  "tttt"                      \
  "zzzz"                      \
  "iti"
#define FUSEBOX_INSERT_TYPES \
  "t" FUSEBOX_UPDATED_TYPES  \
  "tziizi"                   \
  "t"
#define FUSEBOX_UPDATE_TYPES "ti" FUSEBOX_UPDATED_TYPES "z"
#define FUSEBOX_SET                                                                                          \
  "host_id = ?3, host_vm_name = ?4, generation = ?5, incarnation = ?6, state = ?7, backend = ?8, url = ?9, " \
  "task_id = ?10, tenant_id = ?11, cpus = ?12, ram_mb = ?13, storage_gb = ?14, region = ?15, "               \
  "max_runtime_seconds = ?16, idle_timeout_seconds = ?17, auth_token_encrypted = ?18, "                      \
  "secrets_encrypted = ?19, boot_encrypted = ?20, cert_sha256 = ?21, cert_not_after = ?22, "                 \
  "last_error = ?23, endpoints_json = ?24, gpus = ?25, gpu_kind = ?26, gpu_profile = ?27, "                  \
  "gpu_uuids = ?28, mig_instance_uuids = ?29, spec_json = ?30, source_vm_id = ?31, "                         \
  "source_snapshot_id = ?32, op_id = ?33, boot_id = ?34, created_at = ?35, updated_at = ?36, "               \
  "state_changed_at = ?37, running_at = ?38, boot_ms = ?39, view_json = ?40, view_version = ?41, "           \
  "last_activity_at = CASE WHEN ?42 IS NULL OR last_activity_at > ?42 THEN last_activity_at ELSE ?42 END"
// What follows a common table expression `n` that answers an environment's event.
#define FUSEBOX_TELL "SELECT vm_id, incarnation, seq, pg_notify('fusebox_events', vm_id || ':' || seq) FROM e"

constexpr Write kInsert{.table = kEnvironmentTable,
                        .types = FUSEBOX_INSERT_TYPES,
                        .keys = 1,
                        .columns = FUSEBOX_ENVIRONMENT_COLUMNS ", network_host",
                        .rest = "ON CONFLICT DO NOTHING",
                        .guard = kNew};
// Of a new row: its counter is known, so its events need not wait for it.
constexpr Write kAppendFirst{
    .table = "orchestrator_env_events",
    .types = "tbittz",
    .keys = 3,
    .columns = "vm_id, incarnation, seq, kind, payload_json, created_at",
    .postgres =
        "WITH e AS (INSERT INTO orchestrator_env_events (vm_id, incarnation, seq, kind, payload_json, created_at) "
        "SELECT * FROM {rows} RETURNING vm_id, incarnation, seq) " FUSEBOX_TELL};
constexpr Write kUpdate{.kind = Write::Kind::update,
                        .table = kEnvironmentTable,
                        .types = FUSEBOX_UPDATE_TYPES,
                        .keys = 1,
                        .columns = FUSEBOX_SET,
                        .rest = "vm_id = ?1 AND generation = ?2",
                        .guard = kEnvironmentUnchanged};
constexpr Write kUpdateCounting{.kind = Write::Kind::update,
                                .table = kEnvironmentTable,
                                .types = FUSEBOX_UPDATE_TYPES,
                                .keys = 1,
                                .columns = FUSEBOX_SET ", event_seq = event_seq + 1",
                                .rest = "vm_id = ?1 AND generation = ?2",
                                .guard = kEnvironmentUnchanged};
constexpr Write kUpdateWithEvent{
    .kind = Write::Kind::update,
    .table = kEnvironmentTable,
    .types = FUSEBOX_UPDATE_TYPES "ttz",
    .keys = 1,
    .columns = FUSEBOX_SET ", event_seq = event_seq + 1",
    .rest =
        "vm_id = ?1 AND generation = ?2 RETURNING vm_id, incarnation, event_seq, ?43, ?44, ?45), "
        "e AS (INSERT INTO orchestrator_env_events (vm_id, incarnation, seq, kind, payload_json, created_at) "
        "SELECT * FROM n RETURNING vm_id, incarnation, seq) " FUSEBOX_TELL,
    .guard = kEnvironmentUnchanged,
    .with = "WITH n AS ("};

// Columns that are made for the write.
struct RowTexts {
  std::string gpu_uuids, mig_instance_uuids;
};
RowTexts row_texts(const EnvironmentRow& row) {
  return {.gpu_uuids = json_list(row.gpu_uuids), .mig_instance_uuids = json_list(row.mig_instance_uuids)};
}

// From host_id to view_version, in the order both statements have them.
void add_common(std::vector<sql::Value>& values, const EnvironmentRow& row, const RowTexts& texts) {
  values.insert(values.end(), {row.host_id,
                               row.host_vm_name,
                               row.generation,
                               base::ByteView(row.incarnation),
                               to_string(row.state),
                               row.backend,
                               row.url,
                               row.task_id,
                               row.tenant_id,
                               row.cpus,
                               row.ram_mb,
                               row.storage_gb,
                               row.region,
                               row.max_runtime_seconds,
                               row.idle_timeout_seconds,
                               row.auth_token_sealed,
                               row.secrets_sealed,
                               row.boot_sealed,
                               row.cert_sha256,
                               row.cert_not_after,
                               row.last_error,
                               row.endpoints_json,
                               row.gpus,
                               row.gpu_kind,
                               row.gpu_profile,
                               texts.gpu_uuids,
                               texts.mig_instance_uuids,
                               row.spec_json,
                               row.source_vm_id,
                               row.source_snapshot_id,
                               row.op_id,
                               row.boot_id,
                               row.created_at,
                               row.updated_at,
                               row.state_changed_at,
                               row.running_at,
                               row.boot_ms,
                               row.view_json,
                               row.view_version});
}

constexpr std::size_t kMostValues = 48;

std::vector<sql::Value> insert_values(const EnvironmentRow& row, const RowTexts& texts) {
  std::vector<sql::Value> values;
  values.reserve(kMostValues);
  values.emplace_back(row.vm_id);
  add_common(values, row, texts);
  values.insert(values.end(), {row.health_json, row.last_activity_at, row.stuck_strikes, row.idle_strikes,
                               row.missing_seen_at, row.event_seq, ""});
  return values;
}

std::vector<sql::Value> update_values(const EnvironmentRow& row, std::uint64_t expected_generation,
                                      const RowTexts& texts) {
  std::vector<sql::Value> values;
  values.reserve(kMostValues);
  values.insert(values.end(), {row.vm_id, expected_generation});
  add_common(values, row, texts);
  values.emplace_back(row.last_activity_at);
  return values;
}

}  // namespace

void SqlTx::insert_environment(const EnvironmentRow& row) {
  write_waiting();
  waiting_.emplace(WaitingRow{.row = row, .expected_generation = {}});
  changed(row.vm_id);
}

void SqlTx::update_environment(const EnvironmentRow& row, std::uint64_t expected_generation) {
  write_waiting();
  waiting_.emplace(WaitingRow{.row = row, .expected_generation = expected_generation});
  changed(row.vm_id);
}

void SqlTx::write_waiting() {
  if (!waiting_) return;
  const WaitingRow waiting = *std::exchange(waiting_, {});
  const RowTexts texts = row_texts(waiting.row);
  if (waiting.expected_generation) {
    connection_.execute(kUpdate, update_values(waiting.row, *waiting.expected_generation, texts));
  } else {
    connection_.execute(kInsert, insert_values(waiting.row, texts));
  }
}

bool SqlTx::write_waiting_with(EnvEventRow& event, std::uint32_t ticket) {
  if (!waiting_ || waiting_->row.vm_id != event.vm_id) return false;
  if (!waiting_->expected_generation) {
    event.incarnation = waiting_->row.incarnation;
    event.seq = ++waiting_->row.event_seq;
    connection_.execute(kAppendFirst, std::vector<sql::Value>{event.vm_id, base::ByteView(event.incarnation), event.seq,
                                                              event.kind, event.payload_json, event.created_at});
    return true;
  }
  const WaitingRow waiting = *std::exchange(waiting_, {});
  const RowTexts texts = row_texts(waiting.row);
  std::vector<sql::Value> values = update_values(waiting.row, *waiting.expected_generation, texts);
  if (connection_.dialect() == sql::Dialect::sqlite) {
    connection_.execute(kUpdateCounting, values);
    append_to_sqlite(event);
    return true;
  }
  values.insert(values.end(), {event.kind, event.payload_json, event.created_at});
  connection_.execute(kUpdateWithEvent, values, ticket);
  return true;
}

}  // namespace fusebox::fleet
