// Everything the control plane does to environments, snapshots and hosts: operations that survive crashes.
//
// A call records its intent before any effect (store/store.h), works on the engine's own executor whether or not its caller
// still waits, and answers on the caller's executor. After a crash the leader finishes or undoes what was under way.
//
// Owner    store, providers and seams outlive the engine; close() ends its work.
// Threads  calls: tasks of any executor (`home`, where the call returns). The engine's state: its own executor alone.
// Errors   as answered by the API (api_error.h).
// Contract control-plane.md 5.2-5.4, 8, 9, 10, 11, 12, 15
#pragma once

#include <cstdint>
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
#include "base/result.h"
#include "base/task.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api_error.h"
#include "fleet/engine/options.h"
#include "fleet/store/store.h"
#include "host/api/provider.h"
#include "host/api/provider_set.h"

namespace fusebox::fleet {

class Vault;

// Who asks (2.3, 2.4).
struct Caller {
  // No aggregate: gcc 12 destroys aggregate temporaries of an await expression twice.
  Caller() = default;
  Caller(std::string principal_in, std::string tenant_in, std::string layer_scope_in)
      : principal(std::move(principal_in)), tenant(std::move(tenant_in)), layer_scope(std::move(layer_scope_in)) {}
  std::string principal = "master";  // "master", "open", or a key's id
  std::string tenant;                // what it may see, "" = everything
  std::string layer_scope;           // callerTenantID
};
struct RequestInfo {
  RequestInfo() = default;  // no aggregate, as above
  Caller caller;
  std::string request_id;
  std::string route;            // "POST /v1/environments": method and path, the scope of its idempotency key
  std::string idempotency_key;  // "" = none
  base::Bytes body_hash;        // SHA-256 of the canonical body
  bool respond_async = false;
};
// An answer as it is sent, and sent again under the same idempotency key.
struct Outcome {
  int status = 200;
  std::string json;      // "" = no body
  std::string location;  // of a 202
  bool replayed = false;
};

// A guest that may be called: running, its host known. While it lives the idle clock stands still.
class GuestLease {
 public:
  virtual ~GuestLease() = default;
  virtual const EnvironmentRow& row() const noexcept = 0;
  virtual host::Provider& provider() const noexcept = 0;  // the engine's executor alone
  virtual bool has_feature(std::string_view feature) const noexcept = 0;
  // Requested when the environment leaves `running` or the engine closes: streams end.
  virtual std::stop_token ended() const noexcept = 0;
  // What a guest or its provider said, without the secrets of the environment (1.5).
  virtual base::Result<std::string> redacted(std::string_view text) = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual base::Executor& executor() noexcept = 0;

  // The first outcome under the request's idempotency key, nothing when there is none: also for a body that would not be
  // taken today, because what it names has gone since.
  virtual base::Task<base::Result<std::optional<Outcome>>> replay(base::Executor& home, RequestInfo info) = 0;
  virtual base::Task<base::Result<Outcome>> create(base::Executor& home, RequestInfo info, CreateRequest request) = 0;
  virtual base::Task<base::Result<Outcome>> fork(base::Executor& home, RequestInfo info, std::string vm_id,
                                                 ForkRequest request) = 0;
  virtual base::Task<base::Result<Outcome>> fork_snapshot(base::Executor& home, RequestInfo info,
                                                          std::string snapshot_id, ForkSnapshotRequest request) = 0;
  virtual base::Task<base::Result<Outcome>> migrate(base::Executor& home, RequestInfo info, std::string vm_id,
                                                    MigrateRequest request) = 0;
  virtual base::Task<base::Result<Outcome>> drain(base::Executor& home, RequestInfo info, std::string vm_id) = 0;
  virtual base::Task<base::Result<void>> rotate_token(base::Executor& home, RequestInfo info, std::string vm_id) = 0;
  virtual base::Task<base::Result<void>> put_secrets(base::Executor& home, RequestInfo info, std::string vm_id,
                                                     std::map<std::string, std::string> secrets, bool restart) = 0;
  virtual base::Task<base::Result<void>> destroy(base::Executor& home, RequestInfo info, std::string vm_id) = 0;
  // The internal completion call of 8.1: the task is done, the environment goes.
  virtual base::Task<base::Result<void>> complete_task(base::Executor& home, std::string task_id) = 0;

  virtual base::Task<base::Result<Outcome>> snapshot(base::Executor& home, RequestInfo info, std::string vm_id,
                                                     SnapshotRequest request) = 0;
  virtual base::Task<base::Result<Outcome>> restore(base::Executor& home, RequestInfo info,
                                                    std::string snapshot_id) = 0;
  virtual base::Task<base::Result<void>> delete_snapshot(base::Executor& home, RequestInfo info,
                                                         std::string snapshot_id) = 0;

  virtual base::Task<base::Result<Outcome>> register_host(base::Executor& home, RequestInfo info,
                                                          HostRequest request) = 0;
  virtual base::Task<base::Result<void>> cordon(base::Executor& home, RequestInfo info, std::string host_id,
                                                bool cordoned) = 0;
  virtual base::Task<base::Result<void>> drain_host(base::Executor& home, RequestInfo info, std::string host_id,
                                                    bool evict, std::int64_t timeout_seconds) = 0;
  virtual base::Task<base::Result<void>> remove_host(base::Executor& home, RequestInfo info, std::string host_id) = 0;
  virtual base::Task<base::Result<void>> heartbeat(base::Executor& home, RequestInfo info, std::string host_id,
                                                   HeartbeatRequest request) = 0;
  // Why each host would or would not take this: {"hosts":[{host_id,fits,reason?,score?}],"decision":{...}}.
  virtual base::Task<base::Result<std::string>> explain(base::Executor& home, CreateRequest request) = 0;

  // 404 unknown to this caller, 409 not running, 501 when `feature_or_backend` cannot. Returns on the engine's executor.
  // While it drains its logs can still be read.
  enum class GuestUse : std::uint8_t { work, logs };
  virtual base::Task<base::Result<std::unique_ptr<GuestLease>>> guest(RequestInfo info, std::string vm_id,
                                                                      GuestUse use) = 0;

  // The token and certificate of an environment's guest agent, for calls to it (computer). 501 when it has none.
  struct GuestAgent {
    std::string url;  // https://host:port
    std::string token;
    std::string fingerprint_sha256;
  };
  virtual base::Task<base::Result<GuestAgent>> guest_agent(base::Executor& home, RequestInfo info,
                                                           std::string vm_id) = 0;

  // For checks of requests, which ask in their own order (5.2). Any thread.
  virtual bool host_exists(std::string_view host_id) const noexcept = 0;

  // Environments whose host does not answer: views say host_reachable:false. Any thread.
  virtual bool host_reachable(std::string_view host_id) const noexcept = 0;

  // Where other replicas write to the store, too: its observer tells. Any thread.
  virtual void environment_changed(std::string_view /*vm_id*/) {}

  // Which backends can be asked for now, by name: of this process, and of registered hosts. The engine's executor.
  struct LiveBackends {
    std::set<std::string> here, on_hosts;
  };
  virtual LiveBackends live_backends() const = 0;

  // Takes no more work; waits for operations until their next recorded step, at most `limit`.
  virtual base::Task<void> close(base::Executor& home, base::Nanos limit) = 0;
};

}  // namespace fusebox::fleet
