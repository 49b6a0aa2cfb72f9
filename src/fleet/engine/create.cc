#include "fleet/engine/create.h"

#include <algorithm>
#include <set>

#include "base/certificate.h"
#include "base/crypto.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/intent.h"
#include "fleet/engine/placement.h"
#include "fleet/engine/seeds.h"
#include "fleet/render/views.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kDestroyingWait{seconds{30}};  // contract 5.2
constexpr base::Nanos kWaitStep{std::chrono::milliseconds{100}};
constexpr int kPlacementsTried = 8;  // replicas that place at the same time take each other's room
constexpr std::chrono::hours kCertificateLife{24 * 365};
constexpr std::size_t kHostNameMax = 63;
constexpr std::size_t kMappedMax = 40;

bool host_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// Free, or free again within a while when its environment is being destroyed. The generation its next one has where there
// is no host.
base::Task<base::Result<std::uint64_t>> wait_until_free(Core& core, std::string vm_id) {
  const base::Nanos end = core.now() + kDestroyingWait;
  const std::string host_vm_name = host_name_of(vm_id);
  for (;;) {
    FB_CO_TRY(const Reader::NameUse use, co_await core.lookups.look_up(vm_id, host_vm_name));
    if (!use.row) co_return use.last_generation + 1;
    if (use.row->state != EnvironmentState::destroying || core.now() >= end || core.closing)
      co_return already_assigned(use.row->task_id, use.row->vm_id);
    co_await core.pause(kWaitStep);
  }
}

base::Result<void> make_credentials(Core& core, EnvironmentRow& row, BootMaterial& material) {
  material.token = new_vm_token(core.parts.random);
  if (!guest_kind(row.backend).agent) return {};
  const base::Nanos wall = core.wall();
  FB_TRY(base::Certificate made, base::make_self_signed(row.vm_id, wall - std::chrono::minutes{1},
                                                        wall + base::Nanos{kCertificateLife}, core.parts.random));
  row.cert_sha256.assign(made.fingerprint.bytes.begin(), made.fingerprint.bytes.end());
  row.cert_not_after = wall + base::Nanos{kCertificateLife};
  material.cert_pem = std::move(made.certificate_pem);
  material.key_pem = std::move(made.key_pem);
  return {};
}

EnvironmentRow row_of(Core& core, const CreateRequest& request, const schedule::Demand& demand, const Origin& origin) {
  EnvironmentRow row;
  row.vm_id = origin.vm_id.empty() ? core.parts.options.vm_prefix + request.task_id : origin.vm_id;
  row.host_vm_name = host_name_of(row.vm_id);
  row.incarnation = core.new_incarnation();
  row.task_id = request.task_id;
  row.tenant_id = origin.tenant;
  row.cpus = demand.cpus;
  row.ram_mb = demand.ram_mb;
  row.storage_gb = demand.storage_gb;
  row.region = demand.region;
  row.max_runtime_seconds = request.spec.max_runtime_seconds;
  row.idle_timeout_seconds = request.spec.idle_timeout_seconds;
  row.gpus = demand.gpus;
  row.gpu_kind = demand.gpu_kind;
  row.gpu_profile = demand.gpu_profile;
  row.spec_json = write_spec(request.spec);
  row.source_vm_id = origin.source_vm_id;
  row.source_snapshot_id = origin.source_snapshot_id;
  row.created_at = core.wall();
  row.last_activity_at = row.created_at;
  return row;
}

// Contract 14.1: what a backend has nothing for is refused, not left out.
base::Result<void> check_backend_can(std::string_view backend, const CreateRequest& request) {
  if (backend != "wasm") return {};
  const auto no_shell = [](std::string field) {
    return refuse(400, field +
                           ": environments of backend \"wasm\" have no shell to run it; leave it out and use exec, "
                           "or ask for another spec.backend");
  };
  if (!request.startup_script.empty()) return no_shell("startup_script");
  if (!request.startup_steps.empty()) return no_shell("startup_steps");
  if (!request.expose.empty())
    return refuse(501,
                  "expose: environments of backend \"wasm\" have no ports; leave it out or ask for another "
                  "spec.backend");
  return {};
}

// No place for it: all that stays is history (8.1: none -> removed, wire `failed`).
base::Task<base::Result<Outcome>> record_refusal(Core& core, const RequestInfo& info, EnvironmentRow row,
                                                 const Origin& origin, base::Error error) {
  row.last_error = error.message;
  enter_state(row, EnvironmentState::provisioning, row.created_at);
  OperationRow op = core.new_operation(origin.kind, row, info);
  const base::Result<Outcome> outcome = std::unexpected(error);
  finish_operation(op, outcome, row.created_at);
  auto recorded = co_await core.commit("placement_refused", [&](Tx& tx) -> base::Result<void> {
    tx.insert_environment(row);
    tx.insert_operation(op);
    tx.put_task(task_of(row, TaskStatus::failed, error.message));
    tx.append_env_event(row.vm_id, "state", state_event(row, "failed", row.created_at));
    tx.delete_environment(row.vm_id, row.generation);
    tx.add_event(task_event(row, "task.failed", row.created_at, reason_json(error.message, info.request_id)));
    tx.add_event(vm_event(row, "vm.removed", row.created_at, reason_json("placement", info.request_id)));
    return {};
  });
  if (!recorded && recorded.error().code != base::Errc::exists) co_return std::unexpected(std::move(recorded.error()));
  co_return outcome;
}

base::Result<Choice> choose(Core& core, const schedule::Demand& demand, const Origin& origin) {
  if (!origin.prefer_host.empty()) {
    schedule::Demand at_home = demand;
    at_home.host_pin = origin.prefer_host;
    if (auto choice = choose_place(core, at_home)) return choice;
  }
  std::set<std::string> tried;
  if (!origin.exclude_host.empty()) tried.insert(origin.exclude_host);
  return choose_place(core, demand, tried);
}

class InFlight {
 public:
  explicit InFlight(std::int32_t& count) noexcept : count_(count) { ++count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() { --count_; }

 private:
  std::int32_t& count_;
};

// One create of a name at a time until its record is there: whoever comes second finds it.
class NameHeld {
 public:
  NameHeld(Core& core, std::string vm_id) : core_(core), vm_id_(std::move(vm_id)) { core_.names.begin(vm_id_); }
  NameHeld(const NameHeld&) = delete;
  NameHeld& operator=(const NameHeld&) = delete;
  ~NameHeld() { core_.names.finish(vm_id_, true); }

 private:
  Core& core_;
  std::string vm_id_;
};

// From the first look at a request until its boot has ended, whether or not anybody waits.
base::Task<void> boot_in_flight(Core& core, Boot boot, std::shared_ptr<InFlight> /*one*/,
                                std::shared_ptr<NameHeld> /*name*/) {
  co_await run_boot(core, std::move(boot));
}

// docs/adr/0011: nobody is told of it before it runs, and what it does ends with this process or is found by it again.
bool made_at_once(Core& core, const RequestInfo& info, const Boot& boot) {
  if (!boot.row.host_id.empty() || !info.idempotency_key.empty() || info.respond_async) return false;
  if (boot.seed && boot.fork_of.empty()) return false;  // it is to be brought here first
  if (boot.material.request.has_script() && guest_kind(boot.row.backend).scripts) return false;
  host::Provider* const provider = core.parts.providers.local(boot.row.backend);
  return provider != nullptr && provider->makes_at_once(boot.material.request.spec.image);
}

// Places and records until a host has the room: another replica may have taken it in between.
base::Task<base::Result<Boot>> place_and_record(Core& core, const RequestInfo& info, const CreateRequest& request,
                                                schedule::Demand demand, const Origin& origin,
                                                std::uint64_t first_without_host) {
  Boot boot;
  boot.began = core.now();
  boot.seed = origin.seed;
  count_image(core, demand);
  boot.demand = demand;
  for (int attempt = 0;; ++attempt) {
    boot.row = row_of(core, request, demand, origin);
    boot.row.backend = demand.backend;
    auto choice = choose(core, demand, origin);
    core.parts.meters.boot_phase(demand.backend, choice ? "ok" : "error", "schedule",
                                 std::chrono::duration<double>(core.now() - boot.began).count());
    if (!choice) {
      auto refused = co_await record_refusal(core, info, boot.row, origin, std::move(choice.error()));
      co_return std::unexpected(std::move(refused.error()));
    }
    boot.row.host_id = choice->host_id;
    boot.row.backend = choice->backend;
    boot.row.gpu_uuids = choice->placed.gpu_uuids;
    boot.row.mig_instance_uuids = choice->placed.mig_instance_uuids;
    boot.fork_of = boot.row.host_id == origin.prefer_host ? origin.fork_of : std::string();
    boot.row.generation = first_without_host;
    if (!boot.row.host_id.empty()) {
      FB_CO_TRY(boot.row.generation, co_await first_generation(core, boot.row.host_id, boot.row.host_vm_name));
    }
    boot.material = BootMaterial(request);
    FB_CO_CHECK(make_credentials(core, boot.row, boot.material));
    FB_CO_CHECK(seal_material(core.parts.vault, boot.material, boot.row));
    boot.op = core.new_operation(origin.kind, boot.row, info);
    boot.op.step = boot.seed && boot.fork_of.empty() ? "placed" : "host_create_sent";
    if (!boot.fork_of.empty() || boot.seed) boot.op.snapshot_id = boot.seed ? boot.seed->snapshot_id : std::string();
    boot.row.op_id = boot.op.op_id;
    enter_state(boot.row, EnvironmentState::provisioning, boot.row.created_at);
    boot.also = origin.also;
    boot.recorded = !made_at_once(core, info, boot);
    if (!boot.recorded) co_return boot;
    auto recorded = co_await record_intent(core, boot);
    if (recorded) co_return boot;
    core.hosts.release(boot.row.host_id, index_share(boot.row));
    const base::Error& error = recorded.error();
    const bool room_taken = error.name == "capacity" || error.name == "host";
    if (!room_taken || attempt + 1 == kPlacementsTried) co_return std::unexpected(std::move(recorded.error()));
    FB_CO_CHECK(co_await refresh_host(core, boot.row.host_id));
  }
}

}  // namespace

std::string host_name_of(std::string_view vm_id) {
  const bool starts = !vm_id.empty() && vm_id.front() != '-' && host_name_char(vm_id.front());
  const bool ends = !vm_id.empty() && vm_id.back() != '-';  // the agent's mapping trims hyphens
  if (starts && ends && vm_id.size() <= kHostNameMax && std::ranges::all_of(vm_id, host_name_char))
    return std::string(vm_id);
  std::string mapped;
  for (const char c : vm_id) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (host_name_char(lower))
      mapped += lower;
    else if (mapped.empty() || mapped.back() != '-')
      mapped += '-';
  }
  while (mapped.starts_with('-')) mapped.erase(0, 1);
  mapped.resize(std::min(mapped.size(), kMappedMax));
  while (mapped.ends_with('-')) mapped.pop_back();
  if (mapped.empty()) mapped = "vm";
  return mapped + "-" + base::to_hex(base::sha256(base::as_bytes(vm_id)).bytes).substr(0, 10);
}

schedule::Demand demand_of(const CreateRequest& request) {
  const EnvironmentSpec& spec = request.spec;
  schedule::Demand demand;
  demand.cpus = spec.cpus == 0 ? 1 : spec.cpus;
  demand.ram_mb = spec.ram_mb == 0 ? 512 : spec.ram_mb;
  demand.storage_gb = spec.storage_gb;
  demand.region = spec.region;
  demand.arch = spec.arch;
  demand.labels = spec.labels;
  demand.gpus = spec.gpus;
  demand.gpu_kind = spec.gpu_kind;
  demand.gpu_profile = spec.gpu_profile;
  demand.host_pin = spec.host_id;
  demand.backend = spec.backend;
  demand.image = spec.image;
  demand.egress = spec.egress.has_value();
  demand.huge_pages = spec.huge_pages;
  return demand;
}

base::Task<base::Result<std::optional<Outcome>>> earlier_outcome(Core& core, const RequestInfo& info) {
  if (info.idempotency_key.empty()) co_return std::nullopt;
  const std::string scope = info.caller.principal + ' ' + info.route;
  for (;;) {
    FB_CO_TRY(const auto op, co_await core.get<std::optional<OperationRow>>(
                                 [&](Reader& reader) { return reader.operation_of_key(scope, info.idempotency_key); }));
    if (!op) co_return std::nullopt;
    if (op->request_hash != info.body_hash)
      co_return refuse(409, "Idempotency-Key was used before with another body", {{"op_id", op->op_id}});
    // Cancelled without an answer of its own: its environment was destroyed under it.
    if (op->state == OperationState::cancelled && op->response_status == 0)
      co_return refuse(409, "vm " + op->vm_id + " was destroyed while it was being created",
                       {{"vm_id", op->vm_id}, {"op_id", op->op_id}});
    if (op->state != OperationState::running) co_return outcome_of_row(*op);
    if (core.outcomes.under_way(op->op_id)) {
      const auto joined = core.outcomes.join(op->op_id);
      (void)co_await joined.wait(core.parts.executor);
      continue;  // the row now has it as it was stored
    }
    if (core.closing) co_return refuse(503, "the control plane is stopping");
    co_await core.pause(kWaitStep);  // another replica works on it
  }
}

base::Task<base::Result<Outcome>> earlier_outcome_or(Core& core, const RequestInfo& info, base::Error refusal) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  co_return std::unexpected(std::move(refusal));
}

base::Task<base::Result<Outcome>> answer_of(Core& core, std::string op_id, const RequestInfo& info,
                                            std::string first_view, std::string location) {
  if (info.respond_async)
    co_return Outcome{.status = 202, .json = std::move(first_view), .location = std::move(location), .replayed = false};
  const auto joined = core.outcomes.join(op_id);
  co_return co_await joined.wait(core.parts.executor);
}

base::Task<base::Result<Outcome>> create_environment(Core& core, RequestInfo info, CreateRequest request,
                                                     Origin origin) {
  const std::string vm_id = origin.vm_id.empty() ? core.parts.options.vm_prefix + request.task_id : origin.vm_id;
  for (;;) {
    FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
    if (earlier) co_return *earlier;
    if (!core.names.under_way(vm_id)) break;
    const auto named = core.names.join(vm_id);
    co_await named.wait(core.parts.executor);
  }
  if (core.closing) co_return refuse(503, "the control plane is stopping");
  if (core.creates_in_flight >= core.parts.options.max_inflight_creates)
    co_return refuse(503, "unavailable", "too many creates are in flight on this replica; try again",
                     {{"limit", std::to_string(core.parts.options.max_inflight_creates)}});
  const auto one = std::make_shared<InFlight>(core.creates_in_flight);
  auto name = std::make_shared<NameHeld>(core, vm_id);

  schedule::Demand demand = demand_of(request);
  if (!request.seed_snapshot_id.empty() && !origin.seed) {
    FB_CO_TRY(origin.seed, co_await find_seed(core, request.seed_snapshot_id, info.caller.tenant));
    origin.source_snapshot_id = origin.seed->snapshot_id;
  }
  if (origin.seed) {
    demand.has_seed = true;
    FB_CO_TRY(demand.seed, co_await seed_demand(core, *origin.seed));
    if (demand.backend.empty()) demand.backend = origin.seed->backend;
  }
  if (demand.backend.empty()) demand.backend = default_backend(core, demand);
  FB_CO_CHECK(check_backend_can(demand.backend, request));
  auto free = co_await wait_until_free(core, vm_id);
  if (!free) co_return co_await earlier_outcome_or(core, info, std::move(free.error()));

  auto boot = co_await place_and_record(core, info, request, std::move(demand), origin, *free);
  if (!boot) {
    if (boot.error().code == base::Errc::exists)
      co_return co_await earlier_outcome_or(core, info, already_assigned(request.task_id, vm_id).error());
    co_return std::unexpected(std::move(boot.error()));
  }
  const std::string op_id = boot->op.op_id;
  const std::string first_view = boot->row.view_json;
  core.outcomes.begin(op_id);
  if (boot->recorded) name.reset();
  core.jobs.spawn(boot_in_flight(core, std::move(*boot), one, std::move(name)));
  co_return co_await answer_of(core, op_id, info, first_view, "/v1/environments/" + vm_id);
}

}  // namespace fusebox::fleet
