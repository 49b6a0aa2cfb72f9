// What all of the engine's operations share: its seams, its tables in memory, the way a step is made durable.
//
// Internal to src/fleet/engine; engine.h is its outside.
// Threads  the engine's executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "base/task.h"
#include "base/wait.h"
#include "fleet/engine/engine.h"
#include "fleet/engine/hosts.h"
#include "fleet/engine/live.h"
#include "fleet/engine/meters.h"
#include "fleet/engine/name_lookups.h"
#include "fleet/engine/snapshot_use.h"
#include "fleet/secrets/vault.h"

namespace fusebox::fleet {

struct EngineParts {
  base::Executor& executor;
  Store& store;
  host::ProviderSet& providers;
  Vault& vault;
  const base::Clock& clock;
  base::Random& random;
  base::Logger& logger;
  EngineMeters& meters;
  EngineOptions options;
  // A durable step was just made: tests kill the process here. Empty outside tests.
  std::function<void(std::string_view step)> on_step;
};

// An environment's provider and what it can do.
struct Place {
  host::Provider* provider = nullptr;
  std::shared_ptr<host::Provider> keep;  // of a host
  std::shared_ptr<ManagedHost> host;     // null for the default provider
  std::shared_ptr<Agent> agent{};        // of a default provider that is one elsewhere (FIRECRACKER_BASE_URL)

  // Null: a provider of this process, which can do everything and takes any number of creates.
  const Agent* remote() const noexcept { return host ? host.get() : agent.get(); }
  bool has(std::string_view feature) const noexcept;
};

struct Core {
  explicit Core(EngineParts parts_in);

  EngineParts parts;
  HostDirectory hosts;
  std::map<std::string, std::shared_ptr<Agent>, std::less<>> default_agents;  // by backend
  LiveTable live;
  Awaited<base::Result<Outcome>> outcomes;          // by op_id: operations this replica works on
  Awaited<base::Result<void>> removals;             // by vm_id: environments that are being destroyed here
  Awaited<bool> names;                              // by vm_id: being created and not yet recorded
  std::set<std::string, std::less<>> evictions;     // hosts that are being emptied here
  std::multiset<std::string, std::less<>> at_work;  // op ids a task of this process works on (AtWork)
  std::set<std::string, std::less<>> stranded;      // of ours, nobody works on them: as last seen (recovery.h)
  SnapshotUses snapshot_uses;                       // see note_use()
  base::TaskScope jobs;                             // every operation under way
  NameLookups lookups;
  std::map<std::uint64_t, base::Completion<bool>> pauses;  // under way, by number
  std::uint64_t next_pause = 0;
  std::int32_t creates_in_flight = 0;
  bool closing = false;

  base::Nanos now() const noexcept { return parts.clock.monotonic(); }
  base::Nanos wall() const noexcept;  // whole microseconds, as the store keeps them
  std::string new_id(std::string_view prefix, std::size_t hex_digits = 32);
  Incarnation new_incarnation();

  // Lets time pass, or returns at once when the engine closes.
  base::Task<void> pause(base::Nanos span);
  void close();

  // One durable step, named for tests.
  base::Task<base::Result<void>> commit(std::string_view step, Store::WriteWork work);
  template <class T>
  base::Task<base::Result<T>> get(std::function<base::Result<T>(Reader&)> work) {
    return parts.store.get<T>(parts.executor, std::move(work));
  }
  // As the caller may see it: 404 for unknown ones and other tenants'.
  base::Task<base::Result<EnvironmentRow>> environment(std::string vm_id, std::string tenant);
  base::Task<base::Result<SnapshotRow>> snapshot(std::string snapshot_id, std::string tenant);

  // `unavailable` when the host is unknown or its token cannot be decrypted; `unsupported` when the backend is not here.
  base::Result<Place> place_of(const EnvironmentRow& row);
  base::Result<Place> place_of(std::string_view host_id, std::string_view backend);
  host::CallContext context(const EnvironmentRow& row, const OperationRow* op, base::Nanos limit) const;
  // Every answer of a host is a contact, every refused connection counts.
  void heard_of(const Place& place, const base::Error* error);
  template <class T>
  void heard(const Place& place, const base::Result<T>& result) {
    heard_of(place, result ? nullptr : &result.error());
  }

  OperationRow new_operation(std::string_view kind, const EnvironmentRow& row, const RequestInfo& info);
  // A write that came too late, by somebody whose environment has moved on.
  template <class T>
  void count_fenced(std::string_view kind, const base::Result<T>& result) {
    if (!result && result.error().code == base::Errc::stale) parts.meters.fence_rejected(kind);
  }
  void log(base::LogLevel level, std::string_view message, std::initializer_list<base::LogField> fields = {});
};

// While it lives, a task of this process works on the operation: it is taken over by nobody here.
class AtWork {
 public:
  AtWork(Core& core, const OperationRow& op);
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;
  ~AtWork();

 private:
  Core& core_;
  std::string kind_;
  std::multiset<std::string, std::less<>>::iterator entry_;
};

// The first generation of a new environment of this name on this host: above whatever its predecessors had there, or the
// host would take it for one of them that comes late.
base::Task<base::Result<std::uint64_t>> first_generation(Core& core, std::string host_id, std::string host_vm_name);

// Reads a host's row and devices again, from what other replicas wrote.
base::Task<base::Result<void>> refresh_host(Core& core, std::string host_id);

// The refusals clients know (1.5).
std::unexpected<base::Error> no_such_vm(std::string_view vm_id);
std::unexpected<base::Error> no_such_snapshot(std::string_view snapshot_id);
std::unexpected<base::Error> no_such_host(std::string_view host_id);
// 409: what is asked needs the environment in another state.
std::unexpected<base::Error> wrong_state(const EnvironmentRow& row, std::string_view wanted);

// One store event of an environment's history.
EventRow vm_event(const EnvironmentRow& row, std::string_view type, base::Nanos at, std::string payload_json = "{}");
EventRow task_event(const EnvironmentRow& row, std::string_view type, base::Nanos at, std::string payload_json = "{}");
EventRow event_of(std::string_view entity, std::string_view id, std::string_view type, base::Nanos at,
                  std::string payload_json = "{}");
// What an event says of its cause; `request_id` where a request was it.
std::string reason_json(std::string_view reason, std::string_view request_id = {});
std::string request_json(std::string_view request_id);  // {} where there is none
std::string secret_names_json(const StringMap& secrets, std::string_view request_id);

// Row and SSE event of one transition: state, times, view. `expected` is the generation the row had when it was read.
void enter_state(EnvironmentRow& row, EnvironmentState state, base::Nanos at);
// The view of a row that was read a while ago: its health is written by others meanwhile.
base::Result<void> refresh_view_now(Tx& tx, EnvironmentRow& row);
HostReservation host_share(const EnvironmentRow& row);
schedule::Reservation index_share(const EnvironmentRow& row);

// `op` ends with this outcome, in the transaction that ends it.
void finish_operation(OperationRow& op, const base::Result<Outcome>& outcome, base::Nanos at);
Outcome outcome_of_row(const OperationRow& op);

}  // namespace fusebox::fleet
