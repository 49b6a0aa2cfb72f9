// orchestrator_hosts and what environments take of them.
#include "fleet/store/codec.h"
#include "fleet/store/queries.h"
#include "fleet/store/tx.h"
#include "fleet/store/words.h"

namespace fusebox::fleet {
namespace {

using sql::Write;

#define FUSEBOX_SELECT_HOST                                                                                         \
  "SELECT host_id, url, token_encrypted, region, tenant_id, backend, arch, state, labels_json, cpus_total, "        \
  "ram_mb_total, storage_gb_total, vm_count_max, gpus_total, gpu_kind, mig_profiles_json, gpu_devices_json, "       \
  "mig_instances_json, tls_json, features_json, agent_name, agent_version, probed_json, reach_state, reach_since, " \
  "last_error, last_seen_at, created_at, updated_at, cpus_allocated, ram_mb_allocated, storage_gb_allocated, "      \
  "vm_count_allocated, gpus_allocated, evict_at FROM orchestrator_hosts"

constexpr sql::Query kById{"host", "t", FUSEBOX_SELECT_HOST " WHERE host_id = ?1"};
// Later statements of the transaction see what was committed before the lock was had.
constexpr sql::Query kLocked{"lock_host", "t", FUSEBOX_SELECT_HOST " WHERE host_id = ?1 FOR UPDATE"};
constexpr sql::Query kPage{"hosts", "ti", FUSEBOX_SELECT_HOST " WHERE host_id > ?1 ORDER BY host_id LIMIT ?2"};
constexpr sql::Query kDevices{"bound_devices", "t",
                              "SELECT gpu_uuids, mig_instance_uuids, gpu_profile, gpus FROM orchestrator_vms "
                              "WHERE host_id = ?1 AND gpus > 0"};
constexpr sql::Query kState{"host_state", "t", "SELECT state FROM orchestrator_hosts WHERE host_id = ?1"};

constexpr std::string_view kTable = "orchestrator_hosts";

constexpr Write kPut{
    .table = kTable,
    .types =
        "ttbtttttt"
        "iiiiit"
        "tjj"
        "tttttt"
        "zt"
        "zzz"
        "iiiii",
    .keys = 1,
    .columns =
        "host_id, url, token_encrypted, region, tenant_id, backend, arch, state, labels_json, "
        "cpus_total, ram_mb_total, storage_gb_total, vm_count_max, gpus_total, gpu_kind, "
        "mig_profiles_json, gpu_devices_json, mig_instances_json, "
        "tls_json, features_json, agent_name, agent_version, probed_json, reach_state, "
        "reach_since, last_error, "
        "last_seen_at, created_at, updated_at, "
        "cpus_allocated, ram_mb_allocated, storage_gb_allocated, vm_count_allocated, gpus_allocated",
    .rest =
        "ON CONFLICT (host_id) DO UPDATE SET url = excluded.url, token_encrypted = excluded.token_encrypted, "
        "region = excluded.region, tenant_id = excluded.tenant_id, backend = excluded.backend, "
        "arch = excluded.arch, labels_json = excluded.labels_json, cpus_total = excluded.cpus_total, "
        "ram_mb_total = excluded.ram_mb_total, storage_gb_total = excluded.storage_gb_total, "
        "vm_count_max = excluded.vm_count_max, gpus_total = excluded.gpus_total, gpu_kind = excluded.gpu_kind, "
        "mig_profiles_json = excluded.mig_profiles_json, gpu_devices_json = excluded.gpu_devices_json, "
        "mig_instances_json = excluded.mig_instances_json, tls_json = excluded.tls_json, "
        "features_json = excluded.features_json, agent_name = excluded.agent_name, "
        "agent_version = excluded.agent_version, probed_json = excluded.probed_json, "
        "reach_state = excluded.reach_state, reach_since = excluded.reach_since, "
        "last_error = excluded.last_error, last_seen_at = excluded.last_seen_at, updated_at = excluded.updated_at"};

constexpr Write kSetState{.kind = Write::Kind::update,
                          .table = kTable,
                          .types = "ttzz",
                          .keys = 1,
                          .columns = "state = ?2, updated_at = ?3, evict_at = ?4",
                          .rest = "host_id = ?1",
                          .guard = {.one_row = true, .code = base::Errc::not_found, .what = "there is no host"}};

constexpr Write kContact{
    .kind = Write::Kind::update,
    .table = kTable,
    .types =
        "ttztz"
        "iiiiittjjt"
        "ttttz",
    .keys = 1,
    .columns =
        "reach_state = ?2, reach_since = ?3, last_error = ?4, last_seen_at = ?5, cpus_total = ?6, "
        "ram_mb_total = ?7, storage_gb_total = ?8, vm_count_max = ?9, gpus_total = ?10, gpu_kind = ?11, "
        "mig_profiles_json = ?12, gpu_devices_json = ?13, mig_instances_json = ?14, arch = ?15, "
        "features_json = ?16, agent_name = ?17, agent_version = ?18, probed_json = ?19, updated_at = ?20",
    .rest = "host_id = ?1"};

constexpr Write kAllocated{.kind = Write::Kind::update,
                           .table = kTable,
                           .types = "tiiiii",
                           .keys = 1,
                           .columns =
                               "cpus_allocated = ?2, ram_mb_allocated = ?3, storage_gb_allocated = ?4, "
                               "vm_count_allocated = ?5, gpus_allocated = ?6",
                           .rest = "host_id = ?1"};

// The room is looked at and taken in one statement: no two replicas can both take the last of it.
constexpr Write kReserve{
    .kind = Write::Kind::update,
    .table = kTable,
    .types = "tiiiii",
    .keys = 1,
    .columns =
        "cpus_allocated = cpus_allocated + ?2, ram_mb_allocated = ram_mb_allocated + ?3, "
        "storage_gb_allocated = storage_gb_allocated + ?4, gpus_allocated = gpus_allocated + ?5, "
        "vm_count_allocated = vm_count_allocated + ?6",
    .rest =
        "host_id = ?1 AND state = 'active' AND cpus_allocated + ?2 <= cpus_total "
        "AND ram_mb_allocated + ?3 <= ram_mb_total "
        "AND (?4 = 0 OR storage_gb_allocated + ?4 <= storage_gb_total) "
        "AND (?5 = 0 OR gpus_allocated + ?5 <= gpus_total) AND vm_count_allocated + ?6 <= vm_count_max",
    .guard = {.one_row = true, .code = base::Errc::exhausted, .name = "capacity", .what = "no room on host"},
    .additive = true};
constexpr Write kRelease{
    .kind = Write::Kind::update,
    .table = kTable,
    .types = "tiiiii",
    .keys = 1,
    .columns =
        "cpus_allocated = CASE WHEN cpus_allocated > ?2 THEN cpus_allocated - ?2 ELSE 0 END, "
        "ram_mb_allocated = CASE WHEN ram_mb_allocated > ?3 THEN ram_mb_allocated - ?3 ELSE 0 END, "
        "storage_gb_allocated = CASE WHEN storage_gb_allocated > ?4 THEN storage_gb_allocated - ?4 ELSE 0 END, "
        "gpus_allocated = CASE WHEN gpus_allocated > ?5 THEN gpus_allocated - ?5 ELSE 0 END, "
        "vm_count_allocated = CASE WHEN vm_count_allocated > ?6 THEN vm_count_allocated - ?6 ELSE 0 END",
    .rest = "host_id = ?1",
    .additive = true};

constexpr Write kDelete{
    .kind = Write::Kind::remove,
    .table = kTable,
    .types = "t",
    .keys = 1,
    .guard = {.one_row = true, .code = base::Errc::stale, .name = "in_use", .what = "environments still name host"},
    .alone = true,  // reads orchestrator_vms
    .text =
        "DELETE FROM orchestrator_hosts WHERE host_id = ?1 "
        "AND NOT EXISTS (SELECT 1 FROM orchestrator_vms AS e WHERE e.host_id = ?1)"};

HostRow host_at(const sql::Row& row) {
  int at = 0;
  HostRow out;
  out.host_id = row.text(at++);
  out.url = row.text(at++);
  out.token_sealed = bytes_at(row, at++);
  out.region = row.text(at++);
  out.tenant_id = row.text(at++);
  out.backend = row.text(at++);
  out.arch = row.text(at++);
  out.state = host_state(row.text(at++));
  out.labels = text_map_of(row.text(at++));
  out.cpus_total = row.integer(at++);
  out.ram_mb_total = row.integer(at++);
  out.storage_gb_total = row.integer(at++);
  out.vm_count_max = row.integer(at++);
  out.gpus_total = row.integer(at++);
  out.gpu_kind = row.text(at++);
  out.mig_profiles = number_map_of(row.text(at++));
  out.gpu_devices_json = row.text(at++);
  out.mig_instances_json = row.text(at++);
  out.tls_json = row.text(at++);
  out.features = list_of(row.text(at++));
  out.agent_name = row.text(at++);
  out.agent_version = row.text(at++);
  out.probed_json = row.text(at++);
  out.reach_state = reachability(row.text(at++));
  out.reach_since = row.time(at++);
  out.last_error = row.text(at++);
  out.last_seen_at = row.time(at++);
  out.created_at = row.time(at++);
  out.updated_at = row.time(at++);
  out.cpus_allocated = row.integer(at++);
  out.ram_mb_allocated = row.integer(at++);
  out.storage_gb_allocated = row.integer(at++);
  out.vm_count_allocated = row.integer(at++);
  out.gpus_allocated = row.integer(at++);
  out.evict_at = row.time(at++);
  return out;
}

}  // namespace

base::Result<std::optional<HostRow>> SqlTx::host(std::string_view host_id) {
  return first_row(connection(), kById, {host_id}, host_at);
}

base::Result<std::optional<HostRow>> SqlTx::lock_host(std::string_view host_id) {
  const bool sqlite = connection_.dialect() == sql::Dialect::sqlite;  // has one writer at a time
  return first_row(connection(), sqlite ? kById : kLocked, {host_id}, host_at);
}

base::Result<std::vector<HostRow>> SqlTx::hosts(std::string_view after, std::uint32_t limit) {
  return all_rows(connection(), kPage, {after, limit}, host_at);
}

base::Result<Reader::BoundDevices> SqlTx::bound_devices(std::string_view host_id) {
  BoundDevices bound;
  FB_CHECK(query(kDevices, {host_id}, [&](const sql::Row& row) {
    for (std::string& uuid : list_of(row.text(0))) bound.gpu_uuids.push_back(std::move(uuid));
    for (std::string& uuid : list_of(row.text(1))) bound.mig_instance_uuids.push_back(std::move(uuid));
    if (!row.text(2).empty()) bound.mig_profiles[text_at(row, 2)] += row.integer(3);
  }));
  return bound;
}

void SqlTx::reserve(const HostReservation& r) {
  execute(kReserve, {r.host_id, r.cpus, r.ram_mb, r.storage_gb, r.gpus, 1});
}

void SqlTx::release(const HostReservation& r) {
  execute(kRelease, {r.host_id, r.cpus, r.ram_mb, r.storage_gb, r.gpus, 1});
}

void SqlTx::put_host(const HostRow& row) {
  execute(kPut, {row.host_id,
                 row.url,
                 row.token_sealed,
                 row.region,
                 row.tenant_id,
                 row.backend,
                 row.arch,
                 to_string(row.state),
                 json_map(row.labels),
                 row.cpus_total,
                 row.ram_mb_total,
                 row.storage_gb_total,
                 row.vm_count_max,
                 row.gpus_total,
                 row.gpu_kind,
                 json_map(row.mig_profiles),
                 row.gpu_devices_json,
                 row.mig_instances_json,
                 row.tls_json,
                 json_list(row.features),
                 row.agent_name,
                 row.agent_version,
                 row.probed_json,
                 to_string(row.reach_state),
                 row.reach_since,
                 row.last_error,
                 row.last_seen_at,
                 row.created_at,
                 row.updated_at,
                 row.cpus_allocated,
                 row.ram_mb_allocated,
                 row.storage_gb_allocated,
                 row.vm_count_allocated,
                 row.gpus_allocated});
  cache_changed("host", row.host_id);
}

void SqlTx::set_host_state(std::string_view host_id, HostState state, base::Nanos at, base::Nanos evict_at) {
  execute(kSetState, {host_id, to_string(state), at, evict_at});
  cache_changed("host", host_id);
}

void SqlTx::set_host_contact(const HostRow& row) {
  execute(kContact, {row.host_id,
                     to_string(row.reach_state),
                     row.reach_since,
                     row.last_error,
                     row.last_seen_at,
                     row.cpus_total,
                     row.ram_mb_total,
                     row.storage_gb_total,
                     row.vm_count_max,
                     row.gpus_total,
                     row.gpu_kind,
                     json_map(row.mig_profiles),
                     row.gpu_devices_json,
                     row.mig_instances_json,
                     row.arch,
                     json_list(row.features),
                     row.agent_name,
                     row.agent_version,
                     row.probed_json,
                     row.updated_at});
  cache_changed("host", row.host_id);
}

void SqlTx::set_host_allocated(const HostRow& row) {
  execute(kAllocated, {row.host_id, row.cpus_allocated, row.ram_mb_allocated, row.storage_gb_allocated,
                       row.vm_count_allocated, row.gpus_allocated});
}

void SqlTx::delete_host(std::string_view host_id) {
  execute(kDelete, {host_id});
  cache_changed("host", host_id);
}

base::Result<std::optional<HostState>> SqlTx::host_state_now(std::string_view host_id) {
  return first_row<HostState>(connection(), kState, {host_id},
                              [](const sql::Row& row) { return host_state(row.text(0)); });
}

}  // namespace fusebox::fleet
