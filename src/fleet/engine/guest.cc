#include "fleet/engine/guest.h"

#include <algorithm>

#include "base/certificate.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/render/views.h"
#include "fleet/secrets/redactor.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kDrainLimit{seconds{30}};    // contract 8.4
constexpr base::Nanos kActivityStep{seconds{30}};  // contract 8.4: stored at most that often
constexpr base::Nanos kActivityLook{seconds{1}};
constexpr std::string_view kFusedDrain = "systemctl stop fused 2>/dev/null || pkill -TERM fused";
constexpr std::chrono::hours kCertificateLife{24 * 365};

// The leader judges by the row alone what other replicas serve: a short timeout is not over between two writes.
base::Nanos activity_step(const Core& core, const EnvironmentRow& row) {
  const base::Nanos limit = row.idle_timeout_seconds > 0 ? base::Nanos{seconds{row.idle_timeout_seconds}}
                                                         : core.parts.options.default_idle_timeout;
  return limit.count() > 0 ? std::min(kActivityStep, limit / 3) : kActivityStep;
}

// `ids`: whose activity it was when `at` was read.
base::Task<void> write_activity(Core& core, std::vector<std::string> ids, base::Nanos at) {
  const auto done = co_await core.commit("activity", [&](Tx& tx) -> base::Result<void> {
    for (const std::string& id : ids) tx.touch_activity(id, at);
    return {};
  });
  if (done)
    core.live.activity_written(ids, at);
  else
    core.log(base::LogLevel::warn, "activity not recorded",
             {{"vm_id", ids.front()}, {"environments", std::to_string(ids.size())}, {"error", done.error().message}});
}

class Lease final : public GuestLease {
 public:
  Lease(Core& core, EnvironmentRow row, Place place, std::shared_ptr<LiveEnvironment> live)
      : core_(core), row_(std::move(row)), place_(std::move(place)), live_(std::move(live)) {
    ++live_->leases;
    live_->activity_step = activity_step(core, row_);
    touch();
  }
  ~Lease() override {
    --live_->leases;
    touch();
  }
  const EnvironmentRow& row() const noexcept override { return row_; }
  host::Provider& provider() const noexcept override { return *place_.provider; }
  bool has_feature(std::string_view feature) const noexcept override { return place_.has(feature); }
  std::stop_token ended() const noexcept override { return live_->ended.get_token(); }
  base::Result<std::string> redacted(std::string_view text) override {
    if (!redactor_) {
      FB_TRY(const BootMaterial material, open_material(core_.parts.vault, row_));
      redactor_ = redactor_of(material);
    }
    return redactor_->redact(text);
  }

 private:
  void touch() {
    const base::Nanos at = core_.wall();
    if (!activity_is_due(*live_, at) || core_.closing) return;
    live_->activity_written = at;
    core_.jobs.spawn(write_activity(core_, {row_.vm_id}, at));
  }

  Core& core_;
  EnvironmentRow row_;
  Place place_;
  std::shared_ptr<LiveEnvironment> live_;
  std::optional<Redactor> redactor_;  // made when it is first needed: most calls give no text of the guest away
};

// Records an operation on a running environment: the generation grows, the state may change.
struct Began {
  EnvironmentRow row;
  OperationRow op;
};
base::Task<base::Result<Began>> begin_on_running(Core& core, RequestInfo info, EnvironmentRow row,
                                                 std::string_view kind, EnvironmentState state, std::string_view event,
                                                 std::string detail_json = "{}") {
  const base::Nanos at = core.wall();
  const std::uint64_t expected = row.generation++;
  OperationRow op = core.new_operation(kind, row, info);
  op.step = std::string(kind) + "_recorded";
  op.detail_json = std::move(detail_json);
  row.op_id = op.op_id;
  const bool moves = row.state != state;
  if (moves) enter_state(row, state, at);
  auto recorded = co_await core.commit(op.step, [&](Tx& tx) -> base::Result<void> {
    FB_CHECK(refresh_view_now(tx, row));
    tx.update_environment(row, expected);
    tx.insert_operation(op);
    if (!event.empty()) tx.add_event(vm_event(row, event, at, request_json(op.request_id)));
    if (moves) tx.append_env_event(row.vm_id, "state", state_event(row, to_string(state), at));
    return {};
  });
  if (!recorded) {
    if (recorded.error().code == base::Errc::stale || recorded.error().code == base::Errc::exists)
      co_return refuse(409, "another operation on vm " + row.vm_id + " is under way", {{"vm_id", row.vm_id}});
    co_return std::unexpected(std::move(recorded.error()));
  }
  co_return Began{std::move(row), std::move(op)};
}

// What another replica has begun to destroy is over here, too.
base::Task<void> end_if_over(Core& core, std::string vm_id) {
  auto row =
      co_await core.get<std::optional<EnvironmentRow>>([&](Reader& reader) { return reader.environment(vm_id); });
  if (!row) {
    core.live.note_change(vm_id);  // looked at again
    co_return;
  }
  const bool lives = *row && (*row)->state != EnvironmentState::destroying;
  if (!lives || !core.live.is_of(vm_id, (*row)->incarnation)) core.live.end(vm_id);
}

// One operation at a time on a running environment (15.2).
base::Task<base::Result<EnvironmentRow>> idle_running(Core& core, const RequestInfo& info, std::string vm_id) {
  auto row = co_await core.environment(vm_id, info.caller.tenant);
  if (!row) co_return row;
  if (row->state != EnvironmentState::running) co_return wrong_state(*row, "running");
  if (!row->op_id.empty())
    co_return refuse(409, "operation " + row->op_id + " on vm " + vm_id + " is under way",
                     {{"vm_id", vm_id}, {"op_id", row->op_id}});
  co_return row;
}

base::Task<base::Result<void>> end_operation(Core& core, EnvironmentRow& row, OperationRow op,
                                             const base::Result<Outcome>& outcome, std::string_view event,
                                             std::string payload_json = {}) {
  if (payload_json.empty()) payload_json = request_json(op.request_id);
  const base::Nanos at = core.wall();
  row.op_id.clear();
  row.updated_at = at;
  finish_operation(op, outcome, at);
  auto ended = co_await core.commit(op.kind + "_done", [&](Tx& tx) -> base::Result<void> {
    FB_CHECK(refresh_view_now(tx, row));
    tx.update_environment(row, row.generation);
    tx.update_operation(op);
    if (!event.empty()) tx.add_event(vm_event(row, event, at, payload_json));
    return {};
  });
  core.count_fenced(op.kind, ended);
  if (ended) core.parts.meters.operation_ended(op.kind, outcome ? "done" : "failed");
  co_return ended;
}

}  // namespace

base::Task<base::Result<std::unique_ptr<GuestLease>>> lease_guest(Core& core, RequestInfo info, std::string vm_id,
                                                                  Engine::GuestUse use) {
  auto row = co_await core.environment(vm_id, info.caller.tenant);
  if (!row) co_return std::unexpected(std::move(row.error()));
  const bool drains = row->state == EnvironmentState::draining;
  if (row->state != EnvironmentState::running && !(drains && use == Engine::GuestUse::logs))
    co_return wrong_state(*row, "running");
  FB_CO_TRY(Place place, core.place_of(*row));
  if (place.host && !core.hosts.reachable(row->host_id))
    co_return refuse(503, "host \"" + row->host_id + "\" of vm " + vm_id + " is not reachable",
                     {{"vm_id", vm_id}, {"host_id", row->host_id}});
  auto live = core.live.use(vm_id, row->incarnation);
  co_return std::make_unique<Lease>(core, std::move(*row), std::move(place), std::move(live));
}

base::Task<void> keep_active(Core& core) {
  while (!core.closing) {
    co_await core.pause(kActivityLook);
    if (core.closing) co_return;
    for (std::string& id : core.live.changed_in_use()) co_await end_if_over(core, std::move(id));
    const base::Nanos at = core.wall();
    core.live.forget_unused(at);
    auto due = core.live.activity_due(at);
    if (!due.empty()) co_await write_activity(core, std::move(due), at);
  }
}

base::Task<base::Result<Engine::GuestAgent>> find_guest_agent(Core& core, RequestInfo info, std::string vm_id) {
  auto row = co_await core.environment(vm_id, info.caller.tenant);
  if (!row) co_return std::unexpected(std::move(row.error()));
  if (row->state != EnvironmentState::running) co_return wrong_state(*row, "running");
  if (!guest_kind(row->backend).agent || row->url.empty() || row->url.find("://") != row->url.npos)
    co_return refuse(501, "environments of backend \"" + row->backend + "\" have no guest agent");
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, *row));
  co_return Engine::GuestAgent{"https://" + row->url, material.token, base::to_hex(row->cert_sha256)};
}

base::Task<base::Result<void>> run_drain(Core& core, EnvironmentRow row, OperationRow op) {
  const AtWork at_work(core, op);
  FB_CO_TRY(const Place place, core.place_of(row));
  std::string_view event = "vm.drained";
  std::string failure;
  if (guest_kind(row.backend).agent) {
    FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, row));
    host::ProcessSpec spec;
    const std::string& own = material.request.agent.drain_command;
    spec.argv = {"sh", "-lc", own.empty() ? std::string(kFusedDrain) : own};
    spec.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(kDrainLimit);
    auto result = co_await place.provider->exec(core.context(row, &op, kDrainLimit + seconds{15}), row.host_vm_name,
                                                std::move(spec));
    core.heard(place, result);
    if (!result)
      failure = redacted(material, result.error().message);
    else if (result->exit.exit_code != 0)
      failure = "drain command ended with exit " + std::to_string(result->exit.exit_code);
  } else {
    auto result = co_await place.provider->drain(core.context(row, &op, kDrainLimit + seconds{15}), row.host_vm_name);
    core.heard(place, result);
    if (!result && result.error().code == base::Errc::unsupported)
      event = "vm.drain_skipped";
    else if (!result)
      failure = result.error().message;
  }
  if (failure.empty()) {
    const base::Result<Outcome> drained = Outcome{.status = 200, .json = {}, .location = {}, .replayed = false};
    co_return co_await end_operation(core, row, op, drained, event);
  }
  base::Result<Outcome> outcome =
      refuse(500, "drain of vm " + row.vm_id + " failed: " + failure, {{"vm_id", row.vm_id}});
  const auto ended = co_await end_operation(core, row, op, outcome, "vm.drain_failed");
  if (!ended) co_return ended;
  co_return std::unexpected(std::move(outcome.error()));
}

base::Task<base::Result<Outcome>> drain_environment(Core& core, RequestInfo info, std::string vm_id) {
  info.idempotency_key.clear();
  FB_CO_TRY(EnvironmentRow row, co_await idle_running(core, info, vm_id));
  FB_CO_TRY(Began began,
            co_await begin_on_running(core, info, std::move(row), "drain", EnvironmentState::draining, "vm.draining"));
  const auto work = [](Core& on, Began what, base::Completion<base::Result<void>> tell) -> base::Task<void> {
    tell.set(co_await run_drain(on, std::move(what.row), std::move(what.op)));
  };
  const base::Completion<base::Result<void>> done;
  core.jobs.spawn(work(core, std::move(began), done));
  auto drained = co_await done.wait(core.parts.executor);
  if (!drained && drained.error().code != base::Errc::stale) co_return std::unexpected(std::move(drained.error()));
  FB_CO_TRY(const EnvironmentRow after, co_await core.environment(vm_id, info.caller.tenant));
  co_return Outcome{.status = 200, .json = after.view_json, .location = {}, .replayed = false};
}

base::Task<base::Result<void>> run_rotation(Core& core, EnvironmentRow row, OperationRow op) {
  const AtWork at_work(core, op);
  FB_CO_TRY(const BootMaterial old, open_material(core.parts.vault, row));
  FB_CO_TRY(const Place place, core.place_of(row));
  BootMaterial fresh = old;
  fresh.token = new_vm_token(core.parts.random);
  const base::Nanos wall = core.wall();
  FB_CO_TRY(base::Certificate made, base::make_self_signed(row.vm_id, wall - std::chrono::minutes{1},
                                                           wall + base::Nanos{kCertificateLife}, core.parts.random));
  fresh.cert_pem = made.certificate_pem;
  fresh.key_pem = made.key_pem;
  GuestSetup with_new{core, row, &op, fresh, place};
  auto done = co_await with_new.upload(false);
  if (done) {
    auto started = co_await with_new.start_agent(false);
    if (!started) done = std::unexpected(std::move(started.error()));
  }
  if (done) {
    // Only a refusal fails the rotation; a guest that cannot be asked now has the new files all the same (8.3).
    auto seen = co_await core.parts.providers.guest_get(row.url, "/v1/info", fresh.token,
                                                        base::to_hex(made.fingerprint.bytes), seconds{10});
    if (seen && *seen == 401) done = refuse(500, "the guest agent does not accept its new token");
  }
  core.count_fenced("rotate", done);
  if (!done && done.error().code == base::Errc::stale) co_return done;
  if (!done) {
    GuestSetup with_old{core, row, &op, old, place};
    auto restored = co_await with_old.upload(false);
    if (restored) (void)co_await with_old.start_agent(false);
    // Its own part has taken the new credentials out; an agent may repeat the old ones.
    base::Result<Outcome> outcome = refuse(500, redacted(old, done.error().message), {{"vm_id", row.vm_id}});
    const auto ended = co_await end_operation(core, row, op, outcome, {});
    if (!ended) co_return ended;
    co_return std::unexpected(std::move(outcome.error()));
  }
  row.cert_sha256.assign(made.fingerprint.bytes.begin(), made.fingerprint.bytes.end());
  row.cert_not_after = wall + base::Nanos{kCertificateLife};
  FB_CO_CHECK(seal_material(core.parts.vault, fresh, row));
  const base::Result<Outcome> rotated = Outcome{.status = 204, .json = {}, .location = {}, .replayed = false};
  co_return co_await end_operation(core, row, op, rotated, "vm.token_rotated");
}

base::Task<base::Result<void>> rotate_token(Core& core, RequestInfo info, std::string vm_id) {
  info.idempotency_key.clear();
  FB_CO_TRY(EnvironmentRow row, co_await idle_running(core, info, vm_id));
  if (!guest_kind(row.backend).agent)
    co_return refuse(501,
                     "environments of backend \"" + row.backend + "\" have no guest agent whose token could change");
  FB_CO_TRY(Began began,
            co_await begin_on_running(core, info, std::move(row), "rotate", EnvironmentState::running, {}));
  const auto work = [](Core& on, Began what, base::Completion<base::Result<void>> tell) -> base::Task<void> {
    tell.set(co_await run_rotation(on, std::move(what.row), std::move(what.op)));
  };
  const base::Completion<base::Result<void>> done;
  core.jobs.spawn(work(core, std::move(began), done));
  co_return co_await done.wait(core.parts.executor);
}

namespace {

constexpr std::string_view kRestartServices = R"({"restart":true})";  // of an operation's detail

base::Task<base::Result<void>> restart_services(GuestSetup& setup) {
  host::ProcessSpec spec;
  spec.argv = {"sh", "-c",
               "test ! -f /fuse/compose.yaml || DOCKER_HOST=unix:///run/podman/podman.sock "
               "/usr/local/bin/docker-compose -f /fuse/compose.yaml up -d --force-recreate"};
  spec.timeout = seconds{120};
  auto result = co_await setup.place.provider->exec(setup.core.context(setup.row, setup.op, seconds{135}),
                                                    setup.row.host_vm_name, std::move(spec));
  if (!result) {
    result.error().message = redacted(setup.material, result.error().message);
    co_return std::unexpected(std::move(result.error()));
  }
  if (result->exit.exit_code != 0) co_return refuse(500, "services could not be restarted");
  co_return base::Result<void>{};
}

}  // namespace

base::Task<base::Result<void>> run_secrets(Core& core, EnvironmentRow row, OperationRow op) {
  const AtWork at_work(core, op);
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, row));
  FB_CO_TRY(const Place place, core.place_of(row));
  GuestSetup setup{core, row, &op, material, place};
  auto done = co_await setup.upload(false);
  if (done && op.detail_json == kRestartServices && guest_kind(row.backend).agent)
    done = co_await restart_services(setup);
  // Fenced off, or stopping: whoever takes the operation over deploys them again.
  if (!done && (done.error().code == base::Errc::stale || core.closing)) co_return done;
  if (!done) {
    const base::Result<Outcome> outcome = std::unexpected(done.error());
    const auto ended = co_await end_operation(core, row, op, outcome, {});
    if (!ended) co_return ended;
    co_return done;
  }
  const base::Result<Outcome> deployed = Outcome{.status = 204, .json = {}, .location = {}, .replayed = false};
  co_return co_await end_operation(core, row, op, deployed, "secrets.deployed",
                                   secret_names_json(material.request.secrets, op.request_id));
}

base::Task<base::Result<void>> put_secrets(Core& core, RequestInfo info, std::string vm_id, StringMap secrets,
                                           bool restart) {
  info.idempotency_key.clear();
  FB_CO_TRY(EnvironmentRow row, co_await idle_running(core, info, vm_id));
  FB_CO_CHECK(core.place_of(row));
  FB_CO_TRY(BootMaterial material, open_material(core.parts.vault, row));
  FB_CO_CHECK(check_secrets(material.request.manifest, secrets));
  material.request.secrets = std::move(secrets);
  FB_CO_CHECK(seal_material(core.parts.vault, material, row));
  row.updated_at = core.wall();
  // Stored first: a guest that is armed again later gets these. An operation like the others: of two sets given at the
  // same time the guest would keep either, and a rotation writes the same files.
  std::string detail = restart ? std::string(kRestartServices) : std::string("{}");
  FB_CO_TRY(Began began, co_await begin_on_running(core, info, std::move(row), "secrets", EnvironmentState::running, {},
                                                   std::move(detail)));
  const auto work = [](Core& on, Began what, base::Completion<base::Result<void>> tell) -> base::Task<void> {
    tell.set(co_await run_secrets(on, std::move(what.row), std::move(what.op)));
  };
  const base::Completion<base::Result<void>> done;
  core.jobs.spawn(work(core, std::move(began), done));
  co_return co_await done.wait(core.parts.executor);
}

}  // namespace fusebox::fleet
