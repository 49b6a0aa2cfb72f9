// API keys, browser logins, the key ring.
#include "fleet/store/codec.h"
#include "fleet/store/queries.h"
#include "fleet/store/tx.h"

namespace fusebox::fleet {
namespace {

using sql::Write;

#define FUSEBOX_SELECT_API_KEY                                                                                        \
  "SELECT id, label, tenant_id, created_by, key_hash, scopes_json, created_at, last_used_at, revoked_at, expires_at " \
  "FROM orchestrator_api_keys"

constexpr sql::Query kById{"api_key", "t", FUSEBOX_SELECT_API_KEY " WHERE id = ?1"};
constexpr sql::Query kByHash{"api_key_of_hash", "b", FUSEBOX_SELECT_API_KEY " WHERE key_hash = ?1"};

constexpr Write kInsert{
    .table = "orchestrator_api_keys",
    .types = "ttttbtzzzz",
    .keys = 1,
    .columns =
        "id, label, tenant_id, created_by, key_hash, scopes_json, created_at, last_used_at, revoked_at, expires_at",
    .rest = "ON CONFLICT DO NOTHING",
    .guard = {.one_row = true, .code = base::Errc::exists, .what = "there is already an API key"}};
constexpr Write kRevoke{.kind = Write::Kind::update,
                        .table = "orchestrator_api_keys",
                        .types = "tz",
                        .keys = 1,
                        .columns = "revoked_at = COALESCE(revoked_at, ?2)",
                        .rest = "id = ?1",
                        .guard = {.one_row = true, .code = base::Errc::not_found, .what = "there is no API key"}};
constexpr Write kTouch{.kind = Write::Kind::update,
                       .table = "orchestrator_api_keys",
                       .types = "tz",
                       .keys = 1,
                       .columns = "last_used_at = ?2",
                       .rest = "id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)"};

constexpr sql::Query kLogin{"login", "b",
                            "SELECT value_sha256, created_at, expires_at, revoked_at FROM orchestrator_logins "
                            "WHERE value_sha256 = ?1"};
constexpr Write kInsertLogin{
    .table = "orchestrator_logins",
    .types = "bzzz",
    .keys = 1,
    .columns = "value_sha256, created_at, expires_at, revoked_at",
    .rest = "ON CONFLICT DO NOTHING",
    .guard = {.one_row = true, .code = base::Errc::exists, .what = "there is already a login"}};
constexpr Write kRevokeLogin{.kind = Write::Kind::update,
                             .table = "orchestrator_logins",
                             .types = "bz",
                             .keys = 1,
                             .columns = "revoked_at = COALESCE(revoked_at, ?2)",
                             .rest = "value_sha256 = ?1"};

constexpr sql::Query kKeys{"key_ring", "",
                           "SELECT key_id, check_value, created_at, retired_at FROM orchestrator_key_ring "
                           "ORDER BY key_id"};
constexpr Write kPutKey{.table = "orchestrator_key_ring",
                        .types = "ibzz",
                        .keys = 1,
                        .columns = "key_id, check_value, created_at, retired_at",
                        .rest =
                            "ON CONFLICT (key_id) DO UPDATE SET check_value = excluded.check_value, "
                            "created_at = excluded.created_at, retired_at = excluded.retired_at"};
constexpr sql::Query kCiphertext{
    "has_ciphertext", "",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM orchestrator_vms WHERE auth_token_encrypted IS NOT NULL "
    "OR secrets_encrypted IS NOT NULL OR boot_encrypted IS NOT NULL) "
    "OR EXISTS (SELECT 1 FROM orchestrator_hosts WHERE token_encrypted IS NOT NULL OR tls_json <> '')"};

constexpr sql::Query kReplicas{"replicas", "",
                               "SELECT replica_id, version, started_at, heartbeat_at, leader "
                               "FROM orchestrator_replicas ORDER BY replica_id"};
constexpr Write kPutReplica{.table = "orchestrator_replicas",
                            .types = "ttzzi",
                            .keys = 1,
                            .columns = "replica_id, version, started_at, heartbeat_at, leader",
                            .rest =
                                "ON CONFLICT (replica_id) DO UPDATE SET version = excluded.version, "
                                "started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at, "
                                "leader = excluded.leader"};

ApiKeyRow key_at(const sql::Row& row) {
  ApiKeyRow out;
  out.id = row.text(0);
  out.label = row.text(1);
  out.tenant_id = row.text(2);
  out.created_by = row.text(3);
  out.key_hash = bytes_at(row, 4);
  if (!row.is_null(5)) out.scopes = list_of(row.text(5));
  out.created_at = row.time(6);
  out.last_used_at = row.time(7);
  out.revoked_at = row.time(8);
  out.expires_at = row.time(9);
  return out;
}

LoginRow login_at(const sql::Row& row) {
  return {.value_sha256 = bytes_at(row, 0),
          .created_at = row.time(1),
          .expires_at = row.time(2),
          .revoked_at = row.time(3)};
}

KeyRingRow ring_at(const sql::Row& row) {
  return {.key_id = static_cast<std::uint32_t>(row.integer(0)),
          .check_value = bytes_at(row, 1),
          .created_at = row.time(2),
          .retired_at = row.time(3)};
}

ReplicaRow replica_at(const sql::Row& row) {
  return {.replica_id = text_at(row, 0),
          .version = text_at(row, 1),
          .started_at = row.time(2),
          .heartbeat_at = row.time(3),
          .leader = row.integer(4) != 0};
}

}  // namespace

base::Result<std::optional<ApiKeyRow>> SqlTx::api_key(std::string_view id) {
  return first_row(connection(), kById, {id}, key_at);
}

base::Result<std::optional<ApiKeyRow>> SqlTx::api_key_of_hash(base::ByteView hash) {
  return first_row(connection(), kByHash, {hash}, key_at);
}

base::Result<std::vector<ApiKeyRow>> SqlTx::api_keys(std::string_view tenant, std::string_view after,
                                                     std::uint32_t limit) {
  Filtered query(FUSEBOX_SELECT_API_KEY);
  if (!tenant.empty()) query.where("tenant_id = ", 't', tenant);
  if (!after.empty()) {
    query.where("(created_at, id) < (SELECT created_at, id FROM orchestrator_api_keys WHERE id = " +
                query.place('t', after) + ")");
  }
  query.append(" ORDER BY created_at DESC, id DESC").limit(limit);
  return all_rows(connection(), query.query("api_keys"), query.values(), key_at);
}

base::Result<std::optional<LoginRow>> SqlTx::login(base::ByteView value_sha256) {
  return first_row(connection(), kLogin, {value_sha256}, login_at);
}

void SqlTx::insert_api_key(const ApiKeyRow& row) {
  const std::string scopes = row.scopes ? json_list(*row.scopes) : std::string();
  execute(kInsert, {row.id, row.label, row.tenant_id, row.created_by, row.key_hash,
                    row.scopes ? sql::Value(scopes) : sql::Value::nothing(), row.created_at, row.last_used_at,
                    row.revoked_at, row.expires_at});
  cache_changed("key", row.id);
}

void SqlTx::revoke_api_key(std::string_view id, base::Nanos at) {
  execute(kRevoke, {id, at});
  cache_changed("key", id);
}

void SqlTx::touch_api_key(std::string_view id, base::Nanos at) {
  execute(kTouch, {id, at});
}

void SqlTx::insert_login(const LoginRow& row) {
  execute(kInsertLogin, {row.value_sha256, row.created_at, row.expires_at, row.revoked_at});
}

void SqlTx::revoke_login(base::ByteView value_sha256, base::Nanos at) {
  execute(kRevokeLogin, {value_sha256, at});
  cache_changed("login", base::to_hex(value_sha256));
}

base::Result<std::vector<KeyRingRow>> SqlTx::key_ring() {
  return all_rows(connection(), kKeys, {}, ring_at);
}

base::Result<bool> SqlTx::has_ciphertext() {
  bool found = false;
  FB_CHECK(query(kCiphertext, {}, [&](const sql::Row&) { found = true; }));
  return found;
}

void SqlTx::put_key(const KeyRingRow& row) {
  execute(kPutKey, {row.key_id, row.check_value, row.created_at, row.retired_at});
}

base::Result<std::vector<ReplicaRow>> SqlTx::replicas() {
  return all_rows(connection(), kReplicas, {}, replica_at);
}

void SqlTx::put_replica(const ReplicaRow& row) {
  execute(kPutReplica, {row.replica_id, row.version, row.started_at, row.heartbeat_at, row.leader ? 1 : 0});
}

}  // namespace fusebox::fleet
