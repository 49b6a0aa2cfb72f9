// Tx and Reader over a Connection: the typed queries, in queries_*.cc by topic. Internal to fleet/store.
//
// One SqlTx serves one transaction: the writer's batch (several closures, each between begin_closure() and end_closure()),
// or one read.
//
// Owner    borrows the connection and the clock.
// Threads  one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "fleet/store/notice.h"
#include "fleet/store/sql.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

class SqlTx final : public Tx, private sql::Returned {
 public:
  SqlTx(sql::Connection& connection, const base::Clock& clock);
  ~SqlTx() override;
  SqlTx(const SqlTx&) = delete;
  SqlTx& operator=(const SqlTx&) = delete;

  // Runs one closure. Its failure is its own error, what it gave to fail(), or (with `settle`) what its writes met; without
  // `settle` the latter shows in a later settle(), which cannot tell whose it was.
  base::Result<void> run(const Store::WriteWork& work, bool settle);
  base::Result<void> settle();
  // Forgets what the closures since `mark` would have told the observer.
  std::size_t mark() const noexcept { return notices_.size(); }
  void forget_since(std::size_t mark) { notices_.resize(mark); }
  // A write without effect that meets whatever a real one would.
  base::Result<void> prove_writable();
  std::vector<Notice> take_notices() { return std::move(notices_); }

  base::Result<std::optional<EnvironmentRow>> environment(std::string_view vm_id) override;
  base::Result<std::vector<NameUse>> name_uses(std::span<const Name> names) override;
  base::Result<std::optional<EnvironmentRow>> environment_of_task(std::string_view task_id) override;
  base::Result<std::optional<EnvironmentRow>> environment_on_host(std::string_view host_id,
                                                                  std::string_view host_vm_name) override;
  base::Result<std::vector<EnvironmentView>> environment_views(const EnvironmentFilter& filter, std::string_view after,
                                                               std::uint32_t limit) override;
  base::Result<std::vector<EnvironmentRow>> environments(const EnvironmentFilter& filter, std::string_view after,
                                                         std::uint32_t limit) override;
  base::Result<std::vector<EnvironmentRow>> environments_past(EnvironmentState state, base::Nanos running_before,
                                                              std::string_view after, std::uint32_t limit) override;
  base::Result<std::uint64_t> count_environments(const EnvironmentFilter& filter) override;
  base::Result<std::vector<StateCount>> environment_counts() override;
  base::Result<std::optional<TaskRow>> task(std::string_view task_id) override;
  base::Result<std::optional<HostRow>> host(std::string_view host_id) override;
  base::Result<std::vector<HostRow>> hosts(std::string_view after, std::uint32_t limit) override;
  base::Result<BoundDevices> bound_devices(std::string_view host_id) override;
  base::Result<std::optional<SnapshotRow>> snapshot(std::string_view snapshot_id) override;
  base::Result<std::vector<SnapshotRow>> snapshots(const SnapshotFilter& filter,
                                                   const std::optional<SnapshotAfter>& after,
                                                   std::uint32_t limit) override;
  base::Result<std::optional<SnapshotRow>> resolve_layer(std::string_view tenant, std::string_view layer_key,
                                                         std::string_view arch) override;
  base::Result<std::uint64_t> count_children(std::string_view snapshot_id) override;
  base::Result<SnapshotUse> snapshot_use(std::string_view tenant_id) override;
  base::Result<std::vector<HostSnapshots>> host_snapshots() override;
  base::Result<std::vector<std::string>> seeds_in_use() override;
  base::Result<std::vector<SnapshotRow>> snapshots_due(base::Nanos now, base::Nanos used_before,
                                                       std::uint32_t limit) override;
  base::Result<std::optional<OperationRow>> operation(std::string_view op_id) override;
  base::Result<std::optional<OperationRow>> operation_of_key(std::string_view scope, std::string_view key) override;
  base::Result<std::vector<OperationRow>> unfinished_operations(std::string_view vm_id) override;
  base::Result<std::vector<OperationRow>> expired_operations(base::Nanos now, std::uint32_t limit) override;
  base::Result<std::vector<OperationRow>> operations(const OperationFilter& filter, std::string_view before,
                                                     std::uint32_t limit) override;
  base::Result<std::vector<EnvEventRow>> env_events(std::string_view vm_id, const Incarnation& incarnation,
                                                    std::uint64_t after_seq, std::uint32_t limit) override;
  base::Result<std::vector<EnvLogRow>> env_logs(std::string_view vm_id, const Incarnation& incarnation,
                                                std::span<const std::string> sources, base::Nanos since,
                                                std::uint64_t after_seq, std::uint32_t limit) override;
  base::Result<std::optional<EndedEnvironment>> ended_environment(std::string_view vm_id) override;
  base::Result<std::vector<EventRow>> events(const EventFilter& filter, std::int64_t before_id,
                                             std::uint32_t limit) override;
  base::Result<std::vector<DeadLetterRow>> dead_letters(std::int64_t after_id, std::uint32_t limit) override;
  base::Result<std::optional<ApiKeyRow>> api_key(std::string_view id) override;
  base::Result<std::optional<ApiKeyRow>> api_key_of_hash(base::ByteView hash) override;
  base::Result<std::vector<ApiKeyRow>> api_keys(std::string_view tenant, std::string_view after,
                                                std::uint32_t limit) override;
  base::Result<std::optional<LoginRow>> login(base::ByteView value_sha256) override;
  base::Result<std::optional<TombstoneRow>> tombstone(std::string_view host_id, std::string_view host_vm_name) override;
  base::Result<std::vector<LeakedArtifactRow>> leaked_artifacts(std::uint32_t limit) override;
  base::Result<std::vector<ReplicaRow>> replicas() override;
  base::Result<std::vector<KeyRingRow>> key_ring() override;
  base::Result<bool> has_ciphertext() override;
  void insert_environment(const EnvironmentRow& row) override;
  void update_environment(const EnvironmentRow& row, std::uint64_t expected_generation) override;
  void delete_environment(std::string_view vm_id, std::uint64_t expected_generation) override;
  void end_environment(std::string_view vm_id, std::uint64_t expected_generation, const LastEvent& before,
                       const LastEvent& last) override;
  void set_health(std::string_view vm_id, std::uint64_t expected_generation, std::string_view health_json,
                  std::string_view view_json) override;
  void set_strikes(std::string_view vm_id, std::uint64_t expected_generation, std::int32_t stuck, std::int32_t idle,
                   base::Nanos missing_seen_at) override;
  void touch_activity(std::string_view vm_id, base::Nanos at) override;
  void append_env_event(std::string_view vm_id, std::string_view kind, std::string_view payload_json) override;
  void append_env_log(std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view data) override;
  void trim_env_log(std::string_view vm_id, std::string_view source, std::uint64_t bytes_max) override;
  void reserve(const HostReservation& reservation) override;
  void release(const HostReservation& reservation) override;
  void put_task(const TaskRow& row) override;
  void set_task(std::string_view task_id, TaskStatus status, std::string_view last_error, base::Nanos at) override;
  void put_host(const HostRow& row) override;
  void set_host_state(std::string_view host_id, HostState state, base::Nanos at, base::Nanos evict_at) override;
  void set_host_contact(const HostRow& row) override;
  void set_host_allocated(const HostRow& row) override;
  base::Result<std::optional<HostRow>> lock_host(std::string_view host_id) override;
  void delete_host(std::string_view host_id) override;
  void insert_snapshot(const SnapshotRow& row) override;
  void update_snapshot(const SnapshotRow& row, SnapshotState expected) override;
  void rename_snapshot(std::string_view from, std::string_view to) override;
  void touch_snapshot(std::string_view snapshot_id, base::Nanos at) override;
  void delete_snapshot(std::string_view snapshot_id) override;
  void delete_lineage(std::string_view vm_id) override;
  void fail_snapshots_of_host(std::string_view host_id, std::string_view last_error, base::Nanos at) override;
  void insert_operation(const OperationRow& row) override;
  void update_operation(const OperationRow& row) override;
  void take_over_operation(std::string_view op_id, std::string_view owner, base::Nanos lease_until,
                           base::Nanos expired_before) override;
  void renew_leases(std::string_view owner, base::Nanos lease_until) override;
  void cancel_operations(std::string_view vm_id, std::string_view except_op, base::Nanos at) override;
  void add_event(const EventRow& row) override;
  void put_dead_letter(const DeadLetterRow& row) override;
  void acknowledge_dead_letter(std::int64_t id, base::Nanos at) override;
  void insert_api_key(const ApiKeyRow& row) override;
  void revoke_api_key(std::string_view id, base::Nanos at) override;
  void touch_api_key(std::string_view id, base::Nanos at) override;
  void insert_login(const LoginRow& row) override;
  void revoke_login(base::ByteView value_sha256, base::Nanos at) override;
  void put_tombstone(const TombstoneRow& row) override;
  void put_leaked_artifact(const LeakedArtifactRow& row) override;
  void delete_leaked_artifact(std::string_view host_id, std::string_view snapshot_id) override;
  void put_replica(const ReplicaRow& row) override;
  void put_key(const KeyRingRow& row) override;
  base::Result<bool> prune(const Retention& retention, std::uint32_t limit) override;
  void fail(base::Error error) override;

 private:
  void returned(std::uint32_t ticket, const sql::Row& row) override;
  void execute(const sql::Write& write, sql::Values values, std::uint32_t ticket = sql::kNoTicket) {
    if (write.alone || write.table == "orchestrator_vms") write_waiting();
    connection_.execute(write, {values.begin(), values.size()}, ticket);
  }
  base::Result<void> query(const sql::Query& query, sql::Values values, sql::OnRow on_row) {
    return connection().query(query, {values.begin(), values.size()}, on_row);
  }
  sql::Connection& connection() {
    write_waiting();
    return connection_;
  }
  // An environment's row waits for the event that mostly follows it: one write then serves both. It is written before
  // anything that could see it.
  void write_waiting();
  // False: no row waits for this event.
  bool write_waiting_with(EnvEventRow& event, std::uint32_t ticket);
  void append_to_sqlite(EnvEventRow& event);
  // Why a guard did not hold, where one row count cannot tell.
  base::Error diagnosed(const base::Error& error);
  base::Error diagnosed_operation(const base::Error& error, std::string_view op_id);
  void changed(std::string_view vm_id);
  base::Result<std::optional<HostState>> host_state_now(std::string_view host_id);
  base::Result<bool> snapshot_exists(std::string_view snapshot_id);
  base::Result<bool> operation_exists(std::string_view op_id);
  base::Result<bool> environment_exists(std::string_view vm_id);
  void cache_changed(std::string_view what, std::string_view id);
  base::Result<std::int64_t> first_event_since(base::Nanos since);

  struct InsertedOperation {
    std::string op_id, kind, vm_id, idem_scope, idem_key;
  };
  struct WaitingRow {
    EnvironmentRow row;
    std::optional<std::uint64_t> expected_generation;  // nothing: it is new
  };
  sql::Connection& connection_;
  const base::Clock& clock_;
  std::optional<base::Error> failed_;
  std::optional<WaitingRow> waiting_;
  std::vector<Notice> notices_;
  std::vector<InsertedOperation> inserted_;  // of this closure
};

}  // namespace fusebox::fleet
