#include "fleet/engine/boot.h"

#include "base/json.h"
#include "fleet/engine/abandon.h"
#include "fleet/engine/boot_create.h"
#include "fleet/engine/boot_steps.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/intent.h"
#include "fleet/engine/migration.h"
#include "fleet/engine/seeds.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kHealthLimit{seconds{30}};
constexpr base::Nanos kOtherReplicaStep{std::chrono::milliseconds{200}};

// The fence moved: whoever is newer goes on, we stop without a trace.
bool fenced(const base::Error& error) {
  return error.code == base::Errc::stale;
}

class BootRun {
 public:
  BootRun(Core& core, Boot& boot) noexcept : core_(core), boot_(boot) {}
  base::Task<base::Result<Outcome>> run();

 private:
  base::Task<base::Result<void>> arm();
  base::Task<base::Result<void>> script();
  base::Task<base::Result<Outcome>> commit_running(std::string endpoints_json);
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

base::Task<base::Result<void>> BootRun::arm() {
  GuestSetup setup{core_, boot_.row, &boot_.op, boot_.material, place_};
  auto mounted = co_await setup.mount_tmpfs();
  if (!mounted) co_return mounted;
  co_return co_await setup.upload(true);
}

base::Task<base::Result<void>> BootRun::script() {
  if (!boot_.material.request.has_script() || !guest_kind(boot_.row.backend).scripts) co_return base::Result<void>{};
  if (done_before(boot_, "script_done")) co_return base::Result<void>{};
  if (done_before(boot_, "script_started"))
    co_return refuse(500, "startup script interrupted", {{"vm_id", boot_.row.vm_id}});  // never run twice
  auto started = co_await record_step(core_, boot_, "script_started");
  if (!started) co_return started;
  GuestSetup setup{core_, boot_.row, &boot_.op, boot_.material, place_};
  auto done = co_await setup.run_script();
  if (!done) co_return done;
  co_return co_await record_step(core_, boot_, "script_done");
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
  if (boot_.seed && boot_.fork_of.empty() && !done_before(boot_, "host_create_sent")) {
    auto pulled = co_await bring_seed(core_, boot_.row, boot_.op, *boot_.seed);
    phase("pull", pulled ? "ok" : "error");
    if (!pulled) co_return std::unexpected(std::move(pulled.error()));
    auto recorded = co_await record_step(core_, boot_, "host_create_sent");
    if (!recorded) co_return std::unexpected(std::move(recorded.error()));
  }
  if (done_before(boot_, "host_created")) {
    FB_CO_TRY(place_, core_.place_of(boot_.row));
  } else {
    auto created = co_await create_on_host(core_, boot_);
    phase("create", created ? "ok" : "error");
    if (!created) co_return std::unexpected(std::move(created.error()));
    place_ = std::move(*created);
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
  if (!done_before(boot_, "script_started")) {
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
    auto recorded = co_await record_step(core_, boot_, "agent_started");
    if (!recorded) co_return std::unexpected(std::move(recorded.error()));
  }
  co_return co_await commit_running(render_endpoints(*endpoints));
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
  const AtWork at_work(core, boot.op);
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

}  // namespace fusebox::fleet
