// The control plane's memory: everything a caller was told is here before they are told it.
//
// Writes are closures over a Tx. Closures that wait at the same time share one commit (group commit); each is atomic by
// itself. A closure may run more than once, so it must only read what it captured and write through the Tx. Every write
// that depends on what was read before states what it expects (generation, absence, room on a host); when that does not
// hold, the closure has no effect and write() fails with the guard's error.
//
// Owner    reads and writes under way end before the store is destroyed; its observer outlives it.
// Threads  any executor. Closures run on the store's threads (SQLite reads: on the caller's), one writer at a time.
// Errors   `exists`: an insert met its key. `stale`: another generation or state than expected. `not_found`: the row to
//          change is gone. `exhausted`: no room on the host (name "capacity"), or the disk is full. `unavailable`: the
//          database does not answer; nothing was written, or (name "unknown") it is not known whether it was.
// Contract control-plane.md 15.2, 16
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "fleet/store/records.h"

namespace fusebox::fleet {

struct EnvironmentFilter {
  std::string tenant{};  // "" = all
  std::optional<std::string> task_id{}, state{}, host_id{};
};
struct SnapshotFilter {
  std::string tenant{};  // of the caller, "" = all
  std::optional<std::string> vm_id{}, task_id{}, tenant_id{}, state{}, mode{}, name{}, layer_key{}, arch{}, digest{},
      host_id{};
};
struct SnapshotAfter {
  base::Nanos created_at{0};
  std::string id;
};
struct OperationFilter {
  std::string tenant{};  // "" = all
  std::optional<std::string> vm_id{}, state{}, kind{};
};
struct EventFilter {
  std::optional<std::string> entity_type{}, entity_id{}, event_type{};
  std::optional<base::Nanos> since{};
};

// What of an environment a list needs.
struct EnvironmentView {
  std::string vm_id, host_id, view_json;
  std::int32_t view_version = 0;
};

class Reader {
 public:
  virtual ~Reader() = default;

  virtual base::Result<std::optional<EnvironmentRow>> environment(std::string_view vm_id) = 0;
  // What names stand for, in their order, all with one question.
  struct Name {
    std::string vm_id;
    std::string host_vm_name{};  // "": its generation is not asked for
  };
  struct NameUse {
    std::optional<EnvironmentRow> row;
    std::uint64_t last_generation = 0;  // of `host_vm_name` where there is no host; 0: none is known
  };
  virtual base::Result<std::vector<NameUse>> name_uses(std::span<const Name> names) = 0;
  virtual base::Result<std::optional<EnvironmentRow>> environment_of_task(std::string_view task_id) = 0;
  virtual base::Result<std::optional<EnvironmentRow>> environment_on_host(std::string_view host_id,
                                                                          std::string_view host_vm_name) = 0;
  // Ascending id after `after` ("" = from the start).
  virtual base::Result<std::vector<EnvironmentView>> environment_views(const EnvironmentFilter& filter,
                                                                       std::string_view after, std::uint32_t limit) = 0;
  virtual base::Result<std::vector<EnvironmentRow>> environments(const EnvironmentFilter& filter,
                                                                 std::string_view after, std::uint32_t limit) = 0;
  // For the reconciler's passes: each an indexed query, in pages like the above.
  virtual base::Result<std::vector<EnvironmentRow>> environments_past(EnvironmentState state,
                                                                      base::Nanos running_before,
                                                                      std::string_view after, std::uint32_t limit) = 0;
  virtual base::Result<std::uint64_t> count_environments(const EnvironmentFilter& filter) = 0;
  struct StateCount {
    EnvironmentState state;
    std::string backend;
    std::uint64_t count;
  };
  virtual base::Result<std::vector<StateCount>> environment_counts() = 0;

  virtual base::Result<std::optional<TaskRow>> task(std::string_view task_id) = 0;

  virtual base::Result<std::optional<HostRow>> host(std::string_view host_id) = 0;
  virtual base::Result<std::vector<HostRow>> hosts(std::string_view after, std::uint32_t limit) = 0;
  // gpu_uuids and mig_instance_uuids of the environments of a host.
  struct BoundDevices {
    std::vector<std::string> gpu_uuids, mig_instance_uuids;
    std::map<std::string, std::int64_t> mig_profiles;
  };
  virtual base::Result<BoundDevices> bound_devices(std::string_view host_id) = 0;

  virtual base::Result<std::optional<SnapshotRow>> snapshot(std::string_view snapshot_id) = 0;
  virtual base::Result<std::vector<SnapshotRow>> snapshots(const SnapshotFilter& filter,
                                                           const std::optional<SnapshotAfter>& after,
                                                           std::uint32_t limit) = 0;
  virtual base::Result<std::optional<SnapshotRow>> resolve_layer(std::string_view tenant, std::string_view layer_key,
                                                                 std::string_view arch) = 0;  // newest ready
  virtual base::Result<std::uint64_t> count_children(std::string_view snapshot_id) = 0;  // fork-seed rows do not count
  struct SnapshotUse {
    std::uint64_t count = 0, bytes = 0;
  };
  virtual base::Result<SnapshotUse> snapshot_use(
      std::string_view tenant_id) = 0;  // creating, ready, restoring; neither build nor lineage
  // Of what is on each host ("" = this process); lineage rows have no bytes. Only hosts with anything are named.
  struct HostSnapshots {
    std::string host_id;
    std::uint64_t count = 0, bytes = 0, leaked_bytes = 0;
  };
  virtual base::Result<std::vector<HostSnapshots>> host_snapshots() = 0;
  // Ids of snapshots that environments were made from, each once.
  virtual base::Result<std::vector<std::string>> seeds_in_use() = 0;
  // What the collection has to delete, on hosts that are not unreachable. First what is in deleting or in error with a
  // retry due, then what is past retention_until and may go: ready, no build layer, not used since `used_before`, without
  // children, and not the newest of an environment that still exists.
  virtual base::Result<std::vector<SnapshotRow>> snapshots_due(base::Nanos now, base::Nanos used_before,
                                                               std::uint32_t limit) = 0;

  virtual base::Result<std::optional<OperationRow>> operation(std::string_view op_id) = 0;
  virtual base::Result<std::optional<OperationRow>> operation_of_key(std::string_view scope, std::string_view key) = 0;
  virtual base::Result<std::vector<OperationRow>> unfinished_operations(std::string_view vm_id) = 0;
  virtual base::Result<std::vector<OperationRow>> expired_operations(base::Nanos now, std::uint32_t limit) = 0;
  // Newest first, before the id `before` ("" = from the newest).
  virtual base::Result<std::vector<OperationRow>> operations(const OperationFilter& filter, std::string_view before,
                                                             std::uint32_t limit) = 0;

  virtual base::Result<std::vector<EnvEventRow>> env_events(std::string_view vm_id, const Incarnation& incarnation,
                                                            std::uint64_t after_seq, std::uint32_t limit) = 0;
  // In the order of their numbers; ends after `limit`, and after the record with which they are kLogPageBytes or more.
  virtual base::Result<std::vector<EnvLogRow>> env_logs(std::string_view vm_id, const Incarnation& incarnation,
                                                        std::span<const std::string> sources, base::Nanos since,
                                                        std::uint64_t after_seq, std::uint32_t limit) = 0;
  // The newest of this name that ended and is still remembered.
  virtual base::Result<std::optional<EndedEnvironment>> ended_environment(std::string_view vm_id) = 0;
  virtual base::Result<std::vector<EventRow>> events(const EventFilter& filter, std::int64_t before_id,
                                                     std::uint32_t limit) = 0;  // newest first; 0 = from the newest
  virtual base::Result<std::vector<DeadLetterRow>> dead_letters(std::int64_t after_id, std::uint32_t limit) = 0;

  virtual base::Result<std::optional<ApiKeyRow>> api_key(std::string_view id) = 0;
  virtual base::Result<std::optional<ApiKeyRow>> api_key_of_hash(base::ByteView hash) = 0;
  // Newest first, of a tenant ("" = all), behind the key `after` ("" = from the newest; an unknown one: nothing).
  virtual base::Result<std::vector<ApiKeyRow>> api_keys(std::string_view tenant, std::string_view after,
                                                        std::uint32_t limit) = 0;
  virtual base::Result<std::optional<LoginRow>> login(base::ByteView value_sha256) = 0;

  virtual base::Result<std::optional<TombstoneRow>> tombstone(std::string_view host_id,
                                                              std::string_view host_vm_name) = 0;  // the highest
  virtual base::Result<std::vector<LeakedArtifactRow>> leaked_artifacts(std::uint32_t limit) = 0;
  virtual base::Result<std::vector<ReplicaRow>> replicas() = 0;
  virtual base::Result<std::vector<KeyRingRow>> key_ring() = 0;
  virtual base::Result<bool> has_ciphertext() = 0;
};

// What an environment takes of its host.
struct HostReservation {
  std::string host_id{};
  std::int64_t cpus = 0, ram_mb = 0, storage_gb = 0, gpus = 0;
};

// Writes are queued; a guard that does not hold makes the whole closure fail. Reads see the closure's own writes.
class Tx : public Reader {
 public:
  virtual void insert_environment(const EnvironmentRow& row) = 0;  // guard: no row with this vm_id (`exists`)
  // All columns but those written by calls of their own (last_activity_at goes forward only). The row's generation is what
  // is stored; guard: `expected`.
  virtual void update_environment(const EnvironmentRow& row, std::uint64_t expected_generation) = 0;
  virtual void delete_environment(std::string_view vm_id, std::uint64_t expected_generation) = 0;
  // The same, with the last events of its sequence: `last`, and `before` ahead of it unless its kind is empty.
  struct LastEvent {
    std::string_view kind, payload_json;
  };
  virtual void end_environment(std::string_view vm_id, std::uint64_t expected_generation, const LastEvent& before,
                               const LastEvent& last) = 0;
  virtual void set_health(std::string_view vm_id, std::uint64_t expected_generation, std::string_view health_json,
                          std::string_view view_json) = 0;
  virtual void set_strikes(std::string_view vm_id, std::uint64_t expected_generation, std::int32_t stuck,
                           std::int32_t idle, base::Nanos missing_seen_at) = 0;
  virtual void touch_activity(std::string_view vm_id,
                              base::Nanos at) = 0;  // never backwards; a missing row is no error
  // The next number of the environment's sequence (1 for the first of an incarnation). Call it after the row's own insert
  // or update; before its delete.
  virtual void append_env_event(std::string_view vm_id, std::string_view kind, std::string_view payload_json) = 0;
  virtual void append_env_log(std::string_view vm_id, std::string_view source, base::Nanos at,
                              std::string_view data) = 0;
  // Of this source the newest records stay, as many as are `bytes_max` together.
  virtual void trim_env_log(std::string_view vm_id, std::string_view source, std::uint64_t bytes_max) = 0;

  // Guard: the host is active and has room (`exhausted`, name "capacity"; `stale`, name "host" when not active or gone).
  virtual void reserve(const HostReservation& reservation) = 0;
  virtual void release(const HostReservation& reservation) = 0;  // never below zero

  virtual void put_task(const TaskRow& row) = 0;  // inserts or replaces
  virtual void set_task(std::string_view task_id, TaskStatus status, std::string_view last_error, base::Nanos at) = 0;

  virtual void put_host(const HostRow& row) = 0;  // inserts, or replaces all but state, created_at and allocations
  // `evict_at`: see HostRow; every other change of state ends an eviction.
  virtual void set_host_state(std::string_view host_id, HostState state, base::Nanos at, base::Nanos evict_at = {}) = 0;
  virtual void set_host_contact(const HostRow& row) = 0;  // reachability, last_seen, last_error, probed capacity, agent
  virtual void set_host_allocated(const HostRow& row) = 0;
  // As host(); until this write ends nobody else reserves or releases room there.
  virtual base::Result<std::optional<HostRow>> lock_host(std::string_view host_id) = 0;
  virtual void delete_host(std::string_view host_id) = 0;  // guard: no environment names it (`stale`, name "in_use")

  virtual void insert_snapshot(const SnapshotRow& row) = 0;  // guard: new id
  virtual void update_snapshot(const SnapshotRow& row, SnapshotState expected) = 0;
  virtual void rename_snapshot(std::string_view from, std::string_view to) = 0;
  virtual void touch_snapshot(std::string_view snapshot_id, base::Nanos at) = 0;
  virtual void delete_snapshot(std::string_view snapshot_id) = 0;
  virtual void delete_lineage(std::string_view vm_id) = 0;  // the fork-seed rows of a copy
  // Every row of the host is in state error from now on, whatever it was in.
  virtual void fail_snapshots_of_host(std::string_view host_id, std::string_view last_error, base::Nanos at) = 0;

  // Guards: new op_id; (idem_scope, idem_key) free (`exists`, name "idempotency"); no unfinished operation of the same
  // kind on the same environment (`exists`, name "operation").
  virtual void insert_operation(const OperationRow& row) = 0;
  // step, state, detail, response, error, lease, attempts. Guard: state running and owner as in the row.
  virtual void update_operation(const OperationRow& row) = 0;
  virtual void take_over_operation(std::string_view op_id, std::string_view owner, base::Nanos lease_until,
                                   base::Nanos expired_before) = 0;
  virtual void renew_leases(std::string_view owner, base::Nanos lease_until) = 0;
  virtual void cancel_operations(std::string_view vm_id, std::string_view except_op, base::Nanos at) = 0;
  // The first outcome under an idempotency key for requests without an operation (hosts, api-keys): running -> done at once.
  virtual void add_event(const EventRow& row) = 0;
  virtual void put_dead_letter(const DeadLetterRow& row) = 0;  // by (kind, entity_id): last_seen, retry_count, reason
  virtual void acknowledge_dead_letter(std::int64_t id, base::Nanos at) = 0;

  virtual void insert_api_key(const ApiKeyRow& row) = 0;
  virtual void revoke_api_key(std::string_view id, base::Nanos at) = 0;  // the first time stays
  virtual void touch_api_key(std::string_view id, base::Nanos at) = 0;
  virtual void insert_login(const LoginRow& row) = 0;
  virtual void revoke_login(base::ByteView value_sha256, base::Nanos at) = 0;

  virtual void put_tombstone(const TombstoneRow& row) = 0;
  virtual void put_leaked_artifact(const LeakedArtifactRow& row) = 0;
  virtual void delete_leaked_artifact(std::string_view host_id, std::string_view snapshot_id) = 0;
  virtual void put_replica(const ReplicaRow& row) = 0;
  virtual void put_key(const KeyRingRow& row) = 0;

  // Contract 16.3: rows past their time, at most `limit` per table and call. Whether another call would find more.
  struct Retention {
    base::Nanos events_before, env_events_before, operations_before, tombstones_before, tasks_before,
        dead_letters_before, logins_before, replicas_before;
  };
  virtual base::Result<bool> prune(const Retention& retention, std::uint32_t limit) = 0;

  // Fails the closure with this error.
  virtual void fail(base::Error error) = 0;
};

// Told of what was committed, on a store thread, in commit order; short work only. On PostgreSQL also, on another thread,
// of what other replicas committed: env events by number, without payload, kind and (mostly) incarnation; some twice.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  virtual void env_event(const EnvEventRow& event) = 0;          // payload_json may be empty: read it from the table
  virtual void environment_changed(std::string_view vm_id) = 0;  // also its end
  virtual void cache_changed(std::string_view what, std::string_view id) = 0;  // "key", "host", "login"
};

struct StoreStatus {
  bool healthy = false;
  std::string failure;  // class of failure only; nothing that names a database, a driver or an address
};

class Store {
 public:
  using WriteWork = std::function<base::Result<void>(Tx&)>;
  virtual ~Store() = default;

  // Returns on `executor` when the write is durable.
  virtual base::Task<base::Result<void>> write(base::Executor& executor, WriteWork work) = 0;

  // The same for reads: `work` gets a snapshot of what is committed.
  using ReadWork = std::function<base::Result<void>(Reader&)>;
  virtual base::Task<base::Result<void>> read(base::Executor& executor, ReadWork work) = 0;
  template <class T>
  base::Task<base::Result<T>> get(base::Executor& executor, std::function<base::Result<T>(Reader&)> work) {
    std::optional<T> value;
    auto done = co_await read(executor, [&](Reader& reader) -> base::Result<void> {
      FB_TRY(T found, work(reader));
      value.emplace(std::move(found));
      return {};
    });
    if (!done) co_return std::unexpected(std::move(done.error()));
    co_return std::move(*value);
  }

  virtual void observe(CommitObserver* observer) = 0;                   // before the first write; null ends it
  virtual base::Task<StoreStatus> probe(base::Executor& executor) = 0;  // bounded by 2 s
  virtual std::string_view kind() const noexcept = 0;                   // "sqlite", "postgres"
  virtual bool replicated() const noexcept = 0;                         // several processes may share it

  // Leadership (16.4). SQLite: this process, always. Checked cheaply before leader work.
  virtual bool is_leader() const noexcept = 0;
  virtual std::string_view leader_word() const noexcept = 0;  // "self", "other", "none"
};

struct StoreOptions {
  std::string database_url;  // as configured (16.1)
  std::string data_dir;      // of fusebox.db and its lock file
  std::string replica_id;
  const base::Clock* clock = nullptr;
  bool import_plaintext = false;
  std::uint32_t batch_max = 256;  // closures that share a commit
  // Called with the seconds a query of a read took, by its name, and a batch of writes (`commit`), for metrics; may be
  // empty. On the thread that ran it: a store's own, or (SQLite) a reader's.
  std::function<void(std::string_view query, double seconds)> timing;
  std::function<void(std::string_view failure_class)> failed;
};
// Whether a database URL means PostgreSQL: a URL of it, or words such as host=... dbname=...
bool names_postgres(std::string_view database_url) noexcept;
// A database URL without its password, for logs.
std::string masked_url(std::string_view database_url);

// Opens, migrates and checks. Errors: `denied` = another process has the file (its lock file is named), `corrupt` = a
// migration this program does not know, `invalid` = the URL; messages hide passwords.
base::Result<std::unique_ptr<Store>> open_store(StoreOptions options);

}  // namespace fusebox::fleet
