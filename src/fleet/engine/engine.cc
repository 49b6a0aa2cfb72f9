#include "fleet/engine/core.h"
#include "fleet/engine/create.h"
#include "fleet/engine/guest.h"
#include "fleet/engine/host_ops.h"
#include "fleet/engine/make_engine.h"
#include "fleet/engine/placement.h"
#include "fleet/engine/reconcile.h"
#include "fleet/engine/recovery.h"
#include "fleet/engine/removal.h"
#include "fleet/engine/snapshots.h"

namespace fusebox::fleet {
namespace {

constexpr base::Nanos kFailedStartEnds{std::chrono::hours{1}};

// Goes to the engine's executor for `work` and back to the caller's.
template <class T>
base::Task<T> there_and_back(base::Executor& engine, base::Executor& home, base::Task<T> work) {
  co_await base::resume_on(engine);
  T result = co_await std::move(work);
  co_await base::resume_on(home);
  co_return result;
}

class EngineImpl final : public Engine {
 public:
  explicit EngineImpl(EngineParts parts) : core_(std::move(parts)), reconciler_(core_) {}

  base::Task<base::Result<void>> start(bool sole_owner) {
    FB_CO_CHECK(co_await load_hosts(core_));
    FB_CO_CHECK(co_await take_over(core_, sole_owner ? TakeOver::all : TakeOver::own));
    core_.jobs.spawn(keep_leases(core_));
    core_.jobs.spawn(keep_active(core_));
    core_.jobs.spawn(reconciler_.run());
    co_return base::Result<void>{};
  }
  Reconciler& reconciler() noexcept { return reconciler_; }

  base::Executor& executor() noexcept override { return core_.parts.executor; }

  base::Task<base::Result<std::optional<Outcome>>> replay(base::Executor& home, RequestInfo info) override {
    return away(home, replay_here(std::move(info)));
  }
  base::Task<base::Result<Outcome>> create(base::Executor& home, RequestInfo info, CreateRequest request) override {
    Origin origin;
    origin.tenant = info.caller.tenant;
    return away(home, create_environment(core_, std::move(info), std::move(request), std::move(origin)));
  }
  base::Task<base::Result<Outcome>> fork(base::Executor& home, RequestInfo info, std::string vm_id,
                                         ForkRequest request) override {
    return away(home, fork_environment(core_, std::move(info), std::move(vm_id), std::move(request)));
  }
  base::Task<base::Result<Outcome>> fork_snapshot(base::Executor& home, RequestInfo info, std::string snapshot_id,
                                                  ForkSnapshotRequest request) override {
    return away(home, fork_from_snapshot(core_, std::move(info), std::move(snapshot_id), std::move(request)));
  }
  base::Task<base::Result<Outcome>> migrate(base::Executor& home, RequestInfo info, std::string vm_id,
                                            MigrateRequest request) override {
    return away(home, migrate_environment(core_, std::move(info), std::move(vm_id), std::move(request)));
  }
  base::Task<base::Result<Outcome>> drain(base::Executor& home, RequestInfo info, std::string vm_id) override {
    return away(home, drain_environment(core_, std::move(info), std::move(vm_id)));
  }
  base::Task<base::Result<void>> rotate_token(base::Executor& home, RequestInfo info, std::string vm_id) override {
    return away(home, fleet::rotate_token(core_, std::move(info), std::move(vm_id)));
  }
  base::Task<base::Result<void>> put_secrets(base::Executor& home, RequestInfo info, std::string vm_id,
                                             StringMap secrets, bool restart) override {
    return away(home, fleet::put_secrets(core_, std::move(info), std::move(vm_id), std::move(secrets), restart));
  }
  base::Task<base::Result<void>> destroy(base::Executor& home, RequestInfo info, std::string vm_id) override {
    return away(home, destroy_here(std::move(info), std::move(vm_id)));
  }
  base::Task<base::Result<void>> complete_task(base::Executor& home, std::string task_id) override {
    return away(home, complete_here(std::move(task_id)));
  }
  base::Task<base::Result<Outcome>> snapshot(base::Executor& home, RequestInfo info, std::string vm_id,
                                             SnapshotRequest request) override {
    return away(home, create_snapshot(core_, std::move(info), std::move(vm_id), std::move(request)));
  }
  base::Task<base::Result<Outcome>> restore(base::Executor& home, RequestInfo info, std::string snapshot_id) override {
    return away(home, restore_snapshot(core_, std::move(info), std::move(snapshot_id)));
  }
  base::Task<base::Result<void>> delete_snapshot(base::Executor& home, RequestInfo info,
                                                 std::string snapshot_id) override {
    return away(home, fleet::delete_snapshot(core_, std::move(info), std::move(snapshot_id)));
  }
  base::Task<base::Result<Outcome>> register_host(base::Executor& home, RequestInfo info,
                                                  HostRequest request) override {
    return away(home, fleet::register_host(core_, std::move(info), std::move(request)));
  }
  base::Task<base::Result<void>> cordon(base::Executor& home, RequestInfo, std::string host_id,
                                        bool cordoned) override {
    return away(home, set_cordoned(core_, std::move(host_id), cordoned));
  }
  base::Task<base::Result<void>> drain_host(base::Executor& home, RequestInfo, std::string host_id, bool evict,
                                            std::int64_t timeout_seconds) override {
    return away(home, fleet::drain_host(core_, std::move(host_id), evict, timeout_seconds));
  }
  base::Task<base::Result<void>> remove_host(base::Executor& home, RequestInfo, std::string host_id) override {
    return away(home, fleet::remove_host(core_, std::move(host_id)));
  }
  base::Task<base::Result<void>> heartbeat(base::Executor& home, RequestInfo, std::string host_id,
                                           HeartbeatRequest request) override {
    return away(home, take_heartbeat(core_, std::move(host_id), std::move(request)));
  }
  base::Task<base::Result<std::string>> explain(base::Executor& home, CreateRequest request) override {
    return away(home, explain_placement(core_, std::move(request)));
  }
  base::Task<base::Result<std::unique_ptr<GuestLease>>> guest(RequestInfo info, std::string vm_id,
                                                              GuestUse use) override {
    co_await base::resume_on(core_.parts.executor);
    co_return co_await lease_guest(core_, std::move(info), std::move(vm_id), use);
  }
  base::Task<base::Result<GuestAgent>> guest_agent(base::Executor& home, RequestInfo info, std::string vm_id) override {
    return away(home, find_guest_agent(core_, std::move(info), std::move(vm_id)));
  }
  bool host_exists(std::string_view host_id) const noexcept override { return core_.hosts.known(host_id); }
  bool host_reachable(std::string_view host_id) const noexcept override { return core_.hosts.reachable(host_id); }

  void environment_changed(std::string_view vm_id) override {
    core_.parts.executor.post([this, id = std::string(vm_id)] { core_.live.note_change(id); });
  }

  LiveBackends live_backends() const override {
    LiveBackends live;
    for (const std::string& backend : core_.parts.providers.local_backends())
      if (!is_shared_out(core_, backend)) live.here.insert(backend);
    for (const auto& host : core_.hosts.all()) live.on_hosts.insert(host->row.backend);
    return live;
  }

  base::Task<void> close(base::Executor& home, base::Nanos limit) override {
    co_await base::resume_on(core_.parts.executor);
    core_.close();
    const base::Nanos end = core_.now() + limit;
    while (core_.jobs.running() != 0 && core_.now() < end)
      co_await base::sleep_for(core_.parts.executor, std::chrono::milliseconds{5});
    co_await release_leases(core_);
    co_await base::resume_on(home);
  }

 private:
  template <class T>
  base::Task<T> away(base::Executor& home, base::Task<T> work) {
    return there_and_back(core_.parts.executor, home, std::move(work));
  }
  base::Task<base::Result<std::optional<Outcome>>> replay_here(RequestInfo info) {
    co_return co_await earlier_outcome(core_, info);
  }
  // The removal goes on when its caller has gone.
  base::Task<base::Result<void>> destroy_here(RequestInfo info, std::string vm_id) {
    const auto work = [](Core& core, RequestInfo who, std::string id,
                         base::Completion<base::Result<void>> tell) -> base::Task<void> {
      const std::string tenant = who.caller.tenant;
      tell.set(co_await remove_environment(core, std::move(id), tenant, RemovalReason("requested"), std::move(who)));
    };
    const base::Completion<base::Result<void>> done;
    core_.jobs.spawn(work(core_, std::move(info), std::move(vm_id), done));
    co_return co_await done.wait(core_.parts.executor);
  }
  base::Task<base::Result<void>> complete_here(std::string task_id) {
    FB_CO_TRY(const auto row, co_await core_.get<std::optional<EnvironmentRow>>(
                                  [&](Reader& reader) { return reader.environment_of_task(task_id); }));
    if (!row) co_return refuse(404, "task " + task_id + " not found");
    const RequestInfo nobody;
    co_return co_await remove_environment(core_, row->vm_id, {}, RemovalReason("completed", {}, TaskStatus::completed),
                                          nobody);
  }

  Core core_;
  Reconciler reconciler_;
};

}  // namespace

base::Task<base::Result<std::unique_ptr<Engine>>> make_engine(EngineParts parts, bool sole_owner) {
  base::Executor& executor = parts.executor;
  co_await base::resume_on(executor);
  auto engine = std::make_unique<EngineImpl>(std::move(parts));
  auto started = co_await engine->start(sole_owner);
  if (!started) {
    // Operations that were taken over already still refer to it.
    co_await engine->close(executor, kFailedStartEnds);
    co_return std::unexpected(std::move(started.error()));
  }
  co_return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace fusebox::fleet
