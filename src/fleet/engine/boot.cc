#include "fleet/engine/boot.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "fleet/engine/guest.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/intent.h"
#include "fleet/engine/placement.h"
#include "fleet/engine/removal.h"
#include "fleet/engine/seeds.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kCreateLimit{seconds{180}};
constexpr base::Nanos kQuickLimit{seconds{10}};
constexpr base::Nanos kFailedGoneLimit{
    seconds{10}};  // how long an error answer waits for the failed VM to be gone (5.2)
constexpr base::Nanos kHealthLimit{seconds{30}};
constexpr base::Nanos kOtherReplicaStep{std::chrono::milliseconds{200}};
constexpr base::Nanos kLeaveStep{seconds{2}};
constexpr std::size_t kHostsTried = 3;  // contract 5.2

const host::WireFailure* wire_failure(const base::Error& error) {
  return dynamic_cast<const host::WireFailure*>(error.detail.get());
}
// The fence moved: whoever is newer goes on, we stop without a trace.
bool fenced(const base::Error& error) {
  return error.code == base::Errc::stale;
}

class BootRun {
 public:
  BootRun(Core& core, Boot& boot) noexcept : core_(core), boot_(boot) {}
  base::Task<base::Result<Outcome>> run();

 private:
  bool done_before(std::string_view step) const;
  base::Task<base::Result<void>> record(std::string_view step);
  base::Task<base::Result<void>> create_on_host();
  base::Task<base::Result<host::VmRecord>> create_once(const Place& place);
  base::Task<base::Result<host::VmRecord>> settle_unknown(const Place& place);
  base::Task<base::Result<void>> move_to_another_host(std::set<std::string>& tried);
  base::Task<base::Result<void>> arm();
  base::Task<base::Result<void>> script();
  base::Task<base::Result<Outcome>> commit_running(std::string endpoints_json);
  host::CreateSpec create_spec() const;
  void phase(std::string_view name, std::string_view outcome);

  Core& core_;
  Boot& boot_;
  Place place_;
  base::Nanos phase_began_{0};
};

void BootRun::phase(std::string_view name, std::string_view outcome) {
  const base::Nanos now = core_.now();
  core_.parts.meters.boot_phase(boot_.row.backend, outcome, name,
                                std::chrono::duration<double>(now - phase_began_).count());
  phase_began_ = now;
}

// Steps in the order they are recorded.
bool BootRun::done_before(std::string_view step) const {
  static constexpr std::string_view kOrder[] = {"intent",       "placed",         "pull",        "host_create_sent",
                                                "host_created", "script_started", "script_done", "agent_started"};
  const auto at = [](std::string_view name) { return std::ranges::find(kOrder, name) - std::ranges::begin(kOrder); };
  return boot_.interrupted && at(boot_.op.step) >= at(step);
}

// Hosts are told apart from providers of this process: what those did ends with the process or is found again by its name,
// so their steps need no record of their own.
base::Task<base::Result<void>> BootRun::record(std::string_view step) {
  if (boot_.row.host_id.empty() && step != "script_started" && step != "script_done") co_return base::Result<void>{};
  boot_.op.step = step;
  boot_.op.updated_at = core_.wall();
  co_return co_await core_.commit(step, [this](Tx& tx) -> base::Result<void> {
    tx.update_operation(boot_.op);
    return {};
  });
}

host::CreateSpec BootRun::create_spec() const {
  const EnvironmentRow& row = boot_.row;
  host::CreateSpec spec;
  spec.name = row.host_vm_name;
  spec.cpus = row.cpus;
  spec.memory_mb = row.ram_mb;
  spec.storage_gb = row.storage_gb;
  spec.region = row.region;
  spec.image = boot_.material.request.spec.image;
  if (boot_.seed && boot_.fork_of.empty()) spec.seed_snapshot = boot_.seed->snapshot_id;
  spec.gpus = row.gpus;
  spec.gpu_kind = row.gpu_kind;
  spec.gpu_profile = row.gpu_profile;
  spec.gpu_uuids = row.gpu_uuids;
  spec.mig_instance_uuids = row.mig_instance_uuids;
  spec.fleet_id = core_.parts.options.fleet_id;
  spec.egress = boot_.material.request.spec.egress;
  spec.huge_pages = boot_.material.request.spec.huge_pages;
  return spec;
}

base::Task<base::Result<host::VmRecord>> BootRun::create_once(const Place& place) {
  const EnvironmentRow& row = boot_.row;
  base::Result<host::VmRecord> made;
  if (boot_.fork_of.empty()) {
    made = co_await place.provider->create(core_.context(row, &boot_.op, kCreateLimit), create_spec());
  } else {
    host::ForkSpec spec{.name = row.host_vm_name,
                        .snapshot_id = boot_.seed ? boot_.seed->snapshot_id : std::string(),
                        .cpus = row.cpus,
                        .memory_mb = row.ram_mb,
                        .storage_gb = row.storage_gb,
                        .region = row.region};
    made = co_await place.provider->fork(core_.context(row, &boot_.op, kCreateLimit), boot_.fork_of, std::move(spec));
  }
  core_.heard(place, made);
  co_return made;
}

// Contract 14.2: the outcome of an earlier create is not known, or its name is taken by what our own intent may have made.
base::Task<base::Result<host::VmRecord>> BootRun::settle_unknown(const Place& place) {
  const EnvironmentRow& row = boot_.row;
  auto there = co_await place.provider->get(core_.context(row, &boot_.op, kQuickLimit), row.host_vm_name);
  core_.heard(place, there);
  if (there) {
    if (place.has("generation") && there->generation == row.generation) co_return there;
    auto gone = co_await place.provider->destroy(core_.context(row, &boot_.op, seconds{60}), row.host_vm_name);
    core_.heard(place, gone);
    if (!gone && gone.error().code != base::Errc::not_found) co_return std::unexpected(std::move(gone.error()));
  } else if (there.error().code != base::Errc::not_found) {
    co_return there;
  }
  co_return co_await create_once(place);
}

base::Task<base::Result<void>> BootRun::move_to_another_host(std::set<std::string>& tried) {
  tried.insert(boot_.row.host_id);
  if (boot_.op.kind == "migrate") {  // never back to where it comes from
    const auto source = co_await core_.environment(boot_.row.source_vm_id, {});
    if (source) tried.insert(source->host_id);
  }
  FB_CO_TRY(const Choice choice, choose_place(core_, boot_.demand, tried));
  EnvironmentRow row = boot_.row;  // a move that is not recorded has not happened
  OperationRow op = boot_.op;
  row.host_id = choice.host_id;
  row.backend = choice.backend;
  row.gpu_uuids = choice.placed.gpu_uuids;
  row.mig_instance_uuids = choice.placed.mig_instance_uuids;
  const auto first = co_await first_generation(core_, row.host_id, row.host_vm_name);
  base::Result<void> moved;
  if (first) {
    row.generation = std::max(row.generation, *first);
    row.updated_at = core_.wall();
    refresh_view(row);
    op.host_id = row.host_id;
    op.step = boot_.seed ? "placed" : "host_create_sent";
    moved = co_await core_.commit(op.step, [&](Tx& tx) -> base::Result<void> {
      tx.release(host_share(boot_.row));
      tx.reserve(host_share(row));
      tx.update_environment(row, boot_.row.generation);
      tx.update_operation(op);
      tx.add_event(vm_event(row, "vm.scheduled", row.updated_at));
      return {};
    });
  } else {
    moved = std::unexpected(first.error());
  }
  if (!moved) {
    core_.hosts.release(row.host_id, index_share(row));
    co_return moved;
  }
  core_.hosts.release(boot_.row.host_id, index_share(boot_.row));
  boot_.row = std::move(row);
  boot_.op = std::move(op);
  if (!boot_.seed) co_return moved;
  boot_.fork_of.clear();  // its source is not there
  auto brought = co_await bring_seed(core_, boot_.row, boot_.op, *boot_.seed);
  if (!brought) co_return brought;
  co_return co_await record("host_create_sent");
}

base::Task<base::Result<void>> BootRun::create_on_host() {
  std::set<std::string> tried;
  bool unknown = done_before("host_create_sent");
  bool may_be_there = unknown;  // then it is made nowhere else before this host has said what it has
  for (;;) {
    FB_CO_TRY(place_, core_.place_of(boot_.row));
    base::Result<host::VmRecord> made;
    {
      // One at a time where the agent cannot do more; the wait does not count against the create's own time.
      std::optional<base::Places::Place> turn;
      if (place_.host) turn.emplace(co_await place_.host->creates->take());
      for (int attempt = 0; attempt < 2; ++attempt) {
        if (unknown)
          made = co_await settle_unknown(place_);
        else
          made = co_await create_once(place_);
        unknown = false;
        if (made || fenced(made.error())) break;
        const auto* failure = wire_failure(made.error());
        const bool not_sent = failure != nullptr && failure->status == 0 && !failure->sent;
        const bool not_known = failure != nullptr && failure->status == 0 && failure->sent;
        const bool taken = made.error().code == base::Errc::exists;
        if (!not_sent && !not_known && !taken) break;
        unknown = not_known || taken;
        may_be_there = may_be_there || not_known;
      }
    }
    if (made) {
      if (!made->vm_id.empty()) boot_.row.host_vm_name = made->vm_id;
      boot_.row.url = made->url;
      boot_.row.boot_id = made->boot_id;
      co_return base::Result<void>{};
    }
    if (fenced(made.error())) co_return std::unexpected(std::move(made.error()));
    const auto* failure = wire_failure(made.error());
    const bool unreachable = failure != nullptr && failure->status == 0 && !failure->sent;
    if (!unreachable || !place_.host) {
      const std::string text = redacted(boot_.material, made.error().message);
      if (made.error().code == base::Errc::invalid) co_return refuse(400, text, {{"vm_id", boot_.row.vm_id}});
      if (made.error().code == base::Errc::not_found && boot_.seed)
        co_return refuse(409, "seed " + boot_.seed->snapshot_id + " is not on the chosen host: " + text);
      if (made.error().code == base::Errc::unsupported) co_return refuse(501, text);
      if (failure != nullptr && failure->status == 0) co_return refuse(503, "host did not answer: " + text);
      co_return refuse(500, text, {{"vm_id", boot_.row.vm_id}});
    }
    if (may_be_there || tried.size() + 1 >= kHostsTried || !boot_.demand.host_pin.empty())
      co_return refuse(503, "host \"" + boot_.row.host_id + "\" did not answer: " + made.error().message,
                       {{"host_id", boot_.row.host_id}});
    auto moved = co_await move_to_another_host(tried);
    if (!moved) co_return moved;
  }
}

base::Task<base::Result<void>> BootRun::arm() {
  GuestSetup setup{core_, boot_.row, &boot_.op, boot_.material, place_};
  auto mounted = co_await setup.mount_tmpfs();
  if (!mounted) co_return mounted;
  co_return co_await setup.upload(true);
}

base::Task<base::Result<void>> BootRun::script() {
  if (!boot_.material.request.has_script() || !guest_kind(boot_.row.backend).scripts) co_return base::Result<void>{};
  if (done_before("script_done")) co_return base::Result<void>{};
  if (done_before("script_started"))
    co_return refuse(500, "startup script interrupted", {{"vm_id", boot_.row.vm_id}});  // never run twice
  auto started = co_await record("script_started");
  if (!started) co_return started;
  GuestSetup setup{core_, boot_.row, &boot_.op, boot_.material, place_};
  auto done = co_await setup.run_script();
  if (!done) co_return done;
  co_return co_await record("script_done");
}

base::Task<base::Result<Outcome>> BootRun::commit_running(std::string endpoints_json) {
  Boot made = boot_;  // a failure goes on from the row as it was
  EnvironmentRow& row = made.row;
  const base::Nanos at = core_.wall();
  row.endpoints_json = std::move(endpoints_json);
  row.op_id.clear();
  row.boot_ms = std::max<std::int64_t>(1, (core_.now() - boot_.began).count() / 1'000'000);
  row.last_activity_at = at;
  enter_state(row, EnvironmentState::running, at);
  Outcome outcome{.status = 201, .json = row.view_json, .location = {}, .replayed = false};
  if (made.op.kind == "migrate") {
    made.op.step = "moved";  // it ends when the source is gone
    made.op.updated_at = at;
  } else {
    made.op.step = "running";
    finish_operation(made.op, outcome, at);
  }
  auto committed = co_await core_.commit("running", [&](Tx& tx) -> base::Result<void> {
    if (!made.recorded) return write_made(tx, made);
    tx.update_environment(row, row.generation);
    write_running_events(tx, made);
    tx.set_task(row.task_id, TaskStatus::running, {}, at);
    tx.update_operation(made.op);
    return {};
  });
  if (!committed) co_return std::unexpected(std::move(committed.error()));
  made.recorded = true;
  boot_ = std::move(made);
  co_return outcome;
}

base::Task<base::Result<Outcome>> BootRun::run() {
  phase_began_ = core_.now();
  if (boot_.seed) note_use(core_, *boot_.seed);
  if (boot_.seed && boot_.fork_of.empty() && !done_before("host_create_sent")) {
    auto pulled = co_await bring_seed(core_, boot_.row, boot_.op, *boot_.seed);
    phase("pull", pulled ? "ok" : "error");
    if (!pulled) co_return std::unexpected(std::move(pulled.error()));
    auto recorded = co_await record("host_create_sent");
    if (!recorded) co_return std::unexpected(std::move(recorded.error()));
  }
  if (done_before("host_created")) {
    FB_CO_TRY(place_, core_.place_of(boot_.row));
  } else {
    auto created = co_await create_on_host();
    phase("create", created ? "ok" : "error");
    if (!created) co_return std::unexpected(std::move(created.error()));
    if (!boot_.row.host_id.empty()) {
      boot_.op.step = "host_created";
      boot_.row.updated_at = core_.wall();
      refresh_view(boot_.row);
      auto recorded = co_await core_.commit("host_created", [this](Tx& tx) -> base::Result<void> {
        tx.update_environment(boot_.row, boot_.row.generation);
        tx.update_operation(boot_.op);
        return {};
      });
      if (!recorded) co_return std::unexpected(std::move(recorded.error()));
    }
  }
  if (!done_before("script_started")) {
    auto armed = co_await arm();
    phase("upload", armed ? "ok" : "error");
    if (!armed) co_return std::unexpected(std::move(armed.error()));
  }
  auto scripted = co_await script();
  phase("script", scripted ? "ok" : "error");
  if (!scripted) co_return std::unexpected(std::move(scripted.error()));
  GuestSetup setup{core_, boot_.row, &boot_.op, boot_.material, place_};
  auto endpoints = co_await setup.start_agent(true);
  phase("agent", endpoints ? "ok" : "error");
  if (!endpoints) co_return std::unexpected(std::move(endpoints.error()));
  if (!boot_.row.host_id.empty()) {
    auto recorded = co_await record("agent_started");
    if (!recorded) co_return std::unexpected(std::move(recorded.error()));
  }
  co_return co_await commit_running(render_endpoints(*endpoints));
}

std::unexpected<base::Error> destroyed_meanwhile(const Boot& boot) {
  return refuse(409, "vm " + boot.row.vm_id + " was destroyed while it was being created",
                {{"vm_id", boot.row.vm_id}, {"op_id", boot.op.op_id}});
}

// The operation ends, the environment goes; the answer waits until it is gone, at most for a while.
base::Task<base::Result<Outcome>> abandon(Core& core, Boot& boot, base::Error error) {
  const std::string text = redacted(boot.material, error.message);
  OperationRow op = boot.op;
  const base::Result<Outcome> outcome = std::unexpected(error);
  finish_operation(op, outcome, core.wall());
  op.last_error = text;
  const RequestInfo nobody;
  auto removal = co_await begin_removal(
      core, boot.row, RemovalReason("boot_error", text, TaskStatus::failed, "failed"), nobody,
      [&](Tx& tx) -> base::Result<void> {
        tx.update_operation(op);
        tx.add_event(vm_event(boot.row, "vm.provision_failed", op.finished_at, reason_json(text)));
        return {};
      });
  const bool gone_by_others = !removal && (fenced(removal.error()) || removal.error().code == base::Errc::not_found);
  if (gone_by_others) co_return destroyed_meanwhile(boot);
  if (!removal) co_return outcome;
  base::Completion<bool> gone;
  const auto remove = [](Core& on, Removal what, base::Completion<bool> tell) -> base::Task<void> {
    const auto removed = co_await run_removal(on, std::move(what));
    tell.set(removed.has_value());
  };
  core.jobs.spawn(remove(core, std::move(*removal), gone));
  const auto timer = core.parts.executor.post_at(core.now() + kFailedGoneLimit, [gone] { gone.set(false); });
  co_await gone.wait(core.parts.executor);
  core.parts.executor.cancel(timer);
  co_return outcome;
}

// Nothing of it is recorded and it did not come to run: it goes from its provider, and its end is told as any other's.
base::Task<base::Result<Outcome>> abandon_unrecorded(Core& core, Boot& boot, base::Error error) {
  auto recorded = co_await record_intent(core, boot);
  if (recorded) {
    boot.recorded = true;
    co_return co_await abandon(core, boot, std::move(error));
  }
  if (auto place = core.place_of(boot.row)) {
    const auto gone =
        co_await place->provider->destroy(core.context(boot.row, &boot.op, kQuickLimit), boot.row.host_vm_name);
    if (!gone && gone.error().code != base::Errc::not_found)
      core.log(base::LogLevel::warn, "what was made could not be destroyed", {{"vm_id", boot.row.vm_id}});
  }
  if (recorded.error().code == base::Errc::exists) co_return already_assigned(boot.row.task_id, boot.row.vm_id);
  co_return std::unexpected(std::move(recorded.error()));
}

// Whether the source of a migration is gone, or durably on its way; only its name may still be there.
base::Task<bool> source_left(Core& core, EnvironmentRow row) {
  auto source = co_await core.environment(row.source_vm_id, {});
  if (!source) co_return api_detail(source.error()).status == 404;
  co_return source->created_at > row.created_at || source->state == EnvironmentState::destroying;
}

// The end of a migration, from step `moved` on: the copy runs, its source goes. The answer waits for that: whoever has it
// may destroy the copy, and with it this operation.
base::Task<base::Result<Outcome>> leave_source(Core& core, EnvironmentRow row, OperationRow op) {
  const RequestInfo nobody;
  const RemovalReason reason("migrated", {}, TaskStatus::completed);
  for (;;) {
    const bool left = co_await source_left(core, row);
    if (left) break;
    if (core.closing) co_return refuse(503, "the control plane is stopping");
    auto drained = co_await drain_environment(core, nobody, row.source_vm_id);
    auto removed = co_await remove_environment(core, row.source_vm_id, {}, reason, nobody);
    if (removed) continue;
    core.log(base::LogLevel::warn, "source of a migration is not gone yet",
             {{"vm_id", row.source_vm_id}, {"drained", drained.has_value()}, {"error", removed.error().message}});
    co_await core.pause(kLeaveStep);
  }
  const Outcome outcome{.status = 200, .json = row.view_json, .location = {}, .replayed = false};
  finish_operation(op, outcome, core.wall());
  const auto ended = co_await core.commit("migrated", [&](Tx& tx) -> base::Result<void> {
    tx.update_operation(op);
    return {};
  });
  if (!ended) core.log(base::LogLevel::warn, "end of a migration not recorded", {{"vm_id", row.vm_id}});
  co_return outcome;
}

// Whether the operation ends well after all: the answer to its last write may have been lost, or another replica has
// taken it over while this one stood still.
base::Task<std::optional<Outcome>> recorded_outcome(Core& core, const Boot& boot) {
  const std::string op_id = boot.op.op_id;
  for (;;) {
    const auto op =
        co_await core.get<std::optional<OperationRow>>([&](Reader& reader) { return reader.operation(op_id); });
    if (!op || !*op) co_return std::nullopt;
    if ((*op)->state == OperationState::done) {
      Outcome outcome = outcome_of_row(**op);
      outcome.replayed = false;
      co_return outcome;
    }
    const bool elsewhere = (*op)->state == OperationState::running && (*op)->owner != core.parts.options.replica_id;
    if (!elsewhere || core.closing) co_return std::nullopt;
    co_await core.pause(kOtherReplicaStep);
  }
}

base::Task<void> watch_first_health(Core& core, EnvironmentRow row) {
  const base::Nanos end = core.now() + kHealthLimit;
  while (core.now() < end && !core.closing) {
    auto status =
        co_await core.parts.providers.guest_get(row.url, "/health", {}, base::to_hex(row.cert_sha256), seconds{5});
    if (status && *status == 200) co_return;
    co_await core.pause(seconds{1});
  }
  if (core.closing) co_return;
  const base::Nanos at = core.wall();
  const auto told = co_await core.commit("agent_unreachable", [&](Tx& tx) -> base::Result<void> {
    tx.add_event(vm_event(row, "vm.agent_unreachable", at));
    return {};
  });
  if (!told) core.log(base::LogLevel::warn, "event not recorded", {{"vm_id", row.vm_id}});
}

}  // namespace

base::Task<void> run_boot(Core& core, Boot boot) {
  const AtWork at_work(core, boot.op.op_id);
  const base::Nanos began = core.now();
  if (boot.began.count() == 0) boot.began = began;
  auto outcome = co_await BootRun(core, boot).run();
  if (!outcome && (fenced(outcome.error()) || outcome.error().name == "unknown")) {
    auto recorded = co_await recorded_outcome(core, boot);
    if (recorded) outcome = std::move(*recorded);
  }
  if (!outcome && !boot.recorded) {
    outcome = co_await abandon_unrecorded(core, boot, std::move(outcome.error()));
  } else if (!outcome && fenced(outcome.error())) {
    core.parts.meters.fence_rejected(boot.op.kind);
    outcome = destroyed_meanwhile(boot);
  } else if (!outcome && core.closing) {
    // Whoever takes over finds the step and goes on.
    core.outcomes.finish(boot.op.op_id, refuse(503, "the control plane is stopping"));
    co_return;
  } else if (!outcome) {
    outcome = co_await abandon(core, boot, std::move(outcome.error()));
  } else if (guest_kind(boot.row.backend).agent) {
    core.jobs.spawn(watch_first_health(core, boot.row));
  }
  if (outcome && boot.op.step == "moved") outcome = co_await leave_source(core, boot.row, boot.op);
  core.parts.meters.boot_phase(boot.row.backend, outcome ? "ok" : "error", "total",
                               std::chrono::duration<double>(core.now() - boot.began).count());
  core.parts.meters.operation_ended(boot.op.kind, outcome ? "done" : "failed");
  core.outcomes.finish(boot.op.op_id, outcome);
}

base::Task<void> finish_move(Core& core, EnvironmentRow row, OperationRow op) {
  const std::string op_id = op.op_id;
  core.outcomes.begin(op_id);
  auto outcome = co_await leave_source(core, std::move(row), std::move(op));
  core.parts.meters.operation_ended("migrate", "done");
  core.outcomes.finish(op_id, outcome);
}

base::Task<base::Result<void>> rearm(Core& core, EnvironmentRow row, std::string cause) {
  if (!guest_kind(row.backend).profile_files) co_return base::Result<void>{};
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, row));
  FB_CO_TRY(const Place place, core.place_of(row));
  GuestSetup setup{core, row, nullptr, material, place};
  auto mounted = co_await setup.mount_tmpfs();
  if (!mounted) co_return mounted;
  auto uploaded = co_await setup.upload(false);
  if (!uploaded) co_return uploaded;
  if (guest_kind(row.backend).agent) {
    host::ProcessSpec reset;
    reset.argv = {"systemctl", "reset-failed", "fused"};
    (void)co_await place.provider->exec(core.context(row, nullptr, seconds{75}), row.host_vm_name, std::move(reset));
    if (material.request.rerun_script_on_reboot) {
      auto scripted = co_await setup.run_script();
      if (!scripted) co_return scripted;
    }
    auto started = co_await setup.start_agent(!place.has("boot-id"));
    if (!started) co_return std::unexpected(std::move(started.error()));
  }
  const base::Nanos at = core.wall();
  co_return co_await core.commit("rearmed", [&](Tx& tx) -> base::Result<void> {
    tx.add_event(vm_event(row, "vm.rearmed", at, reason_json(cause)));
    return {};
  });
}

}  // namespace fusebox::fleet
