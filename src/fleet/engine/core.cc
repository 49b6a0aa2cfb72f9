#include "fleet/engine/core.h"

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/engine/boot_material.h"
#include "fleet/engine/host_ops.h"
#include "fleet/engine/metered_provider.h"
#include "fleet/render/views.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet {

bool Place::has(std::string_view feature) const noexcept {
  const Agent* const told = remote();
  return told == nullptr || told->features.contains(feature);
}

namespace {

ProviderMaker maker_of(EngineParts& parts) {
  return [&parts](const HostRow& row) -> base::Result<std::shared_ptr<host::Provider>> {
    host::ProviderSet::Remote remote;
    remote.url = row.url;
    remote.backend = row.backend;
    remote.features = row.features;
    remote.agent_name = row.agent_name;
    remote.agent_version = row.agent_version;
    auto token = open_host_token(parts.vault, row);
    if (!token) return base::fail(base::Errc::denied, "host token cannot be decrypted");
    remote.token = std::move(*token);
    if (!row.tls_json.empty()) {
      FB_TRY(const HostTls tls, open_host_tls(parts.vault, row));
      remote.ca_pem = tls.ca_pem;
      remote.fingerprint_sha256 = tls.fingerprint_sha256;
      remote.client_cert_pem = tls.client_cert_pem;
      remote.client_key_pem = tls.client_key_pem;
    }
    std::unique_ptr<host::Provider> made = parts.providers.remote(remote);
    if (!made) return base::fail(base::Errc::invalid, "its url cannot be used");
    return std::make_shared<MeteredProvider>(std::move(made), row.host_id, parts.meters, parts.clock);
  };
}

schedule::PlacementPolicy policy_of(const EngineOptions& options) {
  return options.placement_policy == "binpack" ? schedule::PlacementPolicy::binpack : schedule::PlacementPolicy::spread;
}

}  // namespace

Core::Core(EngineParts parts_in)
    : parts(std::move(parts_in)),
      hosts(parts.executor, policy_of(parts.options), maker_of(parts)),
      jobs(parts.executor),
      lookups(parts.executor, parts.store, jobs) {
  for (const std::string& backend : parts.providers.local_backends()) {
    if (!parts.providers.is_agent(backend)) continue;
    const auto agent = std::make_shared<Agent>();
    agent->learn(parts.executor, {});  // nothing, until it is asked
    default_agents.emplace(backend, agent);
  }
}

base::Nanos Core::wall() const noexcept {
  return std::chrono::floor<std::chrono::microseconds>(parts.clock.wall());
}

std::string Core::new_id(std::string_view prefix, std::size_t hex_digits) {
  base::Bytes bytes(hex_digits / 2);
  parts.random.fill(bytes);
  return std::string(prefix) + base::to_hex(bytes);
}

Incarnation Core::new_incarnation() {
  Incarnation incarnation{};
  parts.random.fill(incarnation);
  return incarnation;
}

base::Task<void> Core::pause(base::Nanos span) {
  if (closing) co_return;
  const std::uint64_t number = ++next_pause;
  const base::Completion<bool> over;
  pauses.emplace(number, over);
  const auto timer = parts.executor.post_at(now() + span, [over] { over.set(true); });
  co_await over.wait(parts.executor);
  parts.executor.cancel(timer);
  pauses.erase(number);
}

void Core::close() {
  closing = true;
  live.end_all();
  for (const auto& [number, pause] : pauses) pause.set(false);
}

base::Task<base::Result<void>> Core::commit(std::string_view step, Store::WriteWork work) {
  auto done = co_await parts.store.write(parts.executor, std::move(work));
  if (done && parts.on_step) parts.on_step(step);
  co_return done;
}

base::Task<base::Result<EnvironmentRow>> Core::environment(std::string vm_id, std::string tenant) {
  FB_CO_TRY(Reader::NameUse use, co_await lookups.look_up(vm_id));
  if (!use.row || (!tenant.empty() && use.row->tenant_id != tenant)) co_return no_such_vm(vm_id);
  co_return std::move(*use.row);
}

base::Task<base::Result<SnapshotRow>> Core::snapshot(std::string snapshot_id, std::string tenant) {
  auto found = co_await get<std::optional<SnapshotRow>>([&](Reader& reader) { return reader.snapshot(snapshot_id); });
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found || (!tenant.empty() && (*found)->owner_tenant_id != tenant)) co_return no_such_snapshot(snapshot_id);
  co_return std::move(**found);
}

base::Result<Place> Core::place_of(const EnvironmentRow& row) {
  return place_of(row.host_id, row.backend);
}

base::Result<Place> Core::place_of(std::string_view host_id, std::string_view backend) {
  if (host_id.empty()) {
    host::Provider* const local = parts.providers.local(backend);
    if (local == nullptr)
      return refuse(501, "backend \"" + std::string(backend) + "\" is not available on this control plane");
    const auto agent = default_agents.find(backend);
    return Place{local, nullptr, nullptr, agent != default_agents.end() ? agent->second : nullptr};
  }
  std::shared_ptr<ManagedHost> host = hosts.find(host_id);
  if (!host || !host->provider) return refuse(503, "host \"" + std::string(host_id) + "\" is not reachable");
  return Place{host->provider.get(), host->provider, std::move(host)};
}

host::CallContext Core::context(const EnvironmentRow& row, const OperationRow* op, base::Nanos limit) const {
  host::CallContext context;
  context.generation = row.generation;
  context.limit = limit;
  if (op != nullptr) {
    context.op_id = op->op_id;
    context.request_id = op->request_id;
  }
  return context;
}

void Core::heard_of(const Place& place, const base::Error* error) {
  if (!place.host) return;
  const Reachability before = place.host->row.reach_state;
  bool changed = false;
  const auto* failure = error == nullptr ? nullptr : host::wire_failure(*error);
  if (error == nullptr || (failure != nullptr && failure->status != 0))
    changed = hosts.contact(*place.host, now(), wall());
  else if (failure != nullptr && failure->refused)
    changed = hosts.refused(*place.host, wall());
  if (changed) note_reach(*this, place.host, before);
}

OperationRow Core::new_operation(std::string_view kind, const EnvironmentRow& row, const RequestInfo& info) {
  OperationRow op;
  op.op_id = new_operation_id(parts.clock.wall(), parts.random);
  op.kind = kind;
  op.vm_id = row.vm_id;
  op.host_id = row.host_id;
  op.tenant_id = row.tenant_id;
  op.generation = row.generation;
  op.request_hash = info.body_hash;
  if (!info.idempotency_key.empty()) {
    op.idem_scope = info.caller.principal + ' ' + info.route;
    op.idem_key = info.idempotency_key;
  }
  op.owner = parts.options.replica_id;
  op.created_at = op.updated_at = wall();
  op.lease_until = op.created_at + std::chrono::floor<std::chrono::microseconds>(parts.options.operation_lease);
  op.attempts = 1;
  op.request_id = info.request_id;
  return op;
}

void Core::log(base::LogLevel level, std::string_view message, std::initializer_list<base::LogField> fields) {
  parts.logger.log(level, "engine", message, fields);
}

AtWork::AtWork(Core& core, const OperationRow& op)
    : core_(core), kind_(op.kind), entry_(core.at_work.emplace(op.op_id)) {
  if (core_.at_work.count(*entry_) == 1) core_.parts.meters.operation_running(kind_, 1);
}
AtWork::~AtWork() {
  if (core_.at_work.count(*entry_) == 1) core_.parts.meters.operation_running(kind_, -1);
  core_.at_work.erase(entry_);
}

base::Task<base::Result<std::uint64_t>> first_generation(Core& core, std::string host_id, std::string host_vm_name) {
  FB_CO_TRY(const auto stone, co_await core.get<std::optional<TombstoneRow>>(
                                  [&](Reader& reader) { return reader.tombstone(host_id, host_vm_name); }));
  std::uint64_t generation = 1;
  if (stone) generation = stone->generation + 1;
  co_return generation;
}

base::Task<base::Result<void>> refresh_host(Core& core, std::string host_id) {
  Reader::BoundDevices devices;
  FB_CO_TRY(auto row,
            co_await core.get<std::optional<HostRow>>([&](Reader& reader) -> base::Result<std::optional<HostRow>> {
              FB_TRY(auto found, reader.host(host_id));
              if (found && (found->gpus_total > 0 || !found->mig_profiles.empty())) {
                FB_TRY(devices, reader.bound_devices(host_id));
              }
              return found;
            }));
  if (row)
    core.hosts.upsert(std::move(*row), devices);
  else
    core.hosts.remove(host_id);
  co_return base::Result<void>{};
}

std::unexpected<base::Error> no_such_vm(std::string_view vm_id) {
  return refuse(404, "vm " + std::string(vm_id) + " not found", {{"vm_id", std::string(vm_id)}});
}
std::unexpected<base::Error> no_such_snapshot(std::string_view snapshot_id) {
  return refuse(404, "snapshot not found: " + std::string(snapshot_id));
}
std::unexpected<base::Error> no_such_host(std::string_view host_id) {
  return refuse(404, "host " + std::string(host_id) + " not found", {{"host_id", std::string(host_id)}});
}
std::unexpected<base::Error> wrong_state(const EnvironmentRow& row, std::string_view wanted) {
  return refuse(409, "vm " + row.vm_id + " is " + std::string(to_string(row.state)) + ", not " + std::string(wanted),
                {{"vm_id", row.vm_id}});
}

EventRow event_of(std::string_view entity, std::string_view id, std::string_view type, base::Nanos at,
                  std::string payload_json) {
  EventRow event;
  event.entity_type = entity;
  event.entity_id = id;
  event.event_type = type;
  event.payload_json = std::move(payload_json);
  event.created_at = at;
  return event;
}
EventRow vm_event(const EnvironmentRow& row, std::string_view type, base::Nanos at, std::string payload_json) {
  return event_of("vm", row.vm_id, type, at, std::move(payload_json));
}
EventRow task_event(const EnvironmentRow& row, std::string_view type, base::Nanos at, std::string payload_json) {
  return event_of("task", row.task_id, type, at, std::move(payload_json));
}
std::string reason_json(std::string_view reason, std::string_view request_id) {
  base::json::Writer out;
  out.begin_object().key("reason").string(base::to_utf8(reason));
  if (!request_id.empty()) out.key("request_id").string(request_id);
  return out.end_object().take();
}
std::string request_json(std::string_view request_id) {
  base::json::Writer out;
  out.begin_object();
  if (!request_id.empty()) out.key("request_id").string(request_id);
  return out.end_object().take();
}

std::string secret_names_json(const StringMap& secrets, std::string_view request_id) {
  base::json::Writer out;
  out.begin_object().key("names").begin_array();
  for (const auto& [name, value] : secrets) out.string(name);
  out.end_array();
  if (!request_id.empty()) out.key("request_id").string(request_id);
  return out.end_object().take();
}

void enter_state(EnvironmentRow& row, EnvironmentState state, base::Nanos at) {
  row.state = state;
  row.state_changed_at = row.updated_at = at;
  if (state == EnvironmentState::running && row.running_at.count() == 0) row.running_at = at;
  refresh_view(row);
}

base::Result<void> refresh_view_now(Tx& tx, EnvironmentRow& row) {
  FB_TRY(const auto now, tx.environment(row.vm_id));
  if (now) row.health_json = now->health_json;
  refresh_view(row);
  return {};
}

HostReservation host_share(const EnvironmentRow& row) {
  return {.host_id = row.host_id,
          .cpus = row.cpus,
          .ram_mb = row.ram_mb,
          .storage_gb = row.storage_gb,
          .gpus = row.gpu_profile.empty() ? row.gpus : 0};
}

schedule::Reservation index_share(const EnvironmentRow& row) {
  return {.cpus = row.cpus,
          .ram_mb = row.ram_mb,
          .storage_gb = row.storage_gb,
          .gpus = row.gpus,
          .gpu_profile = row.gpu_profile,
          .gpu_uuids = row.gpu_uuids,
          .mig_instance_uuids = row.mig_instance_uuids};
}

void finish_operation(OperationRow& op, const base::Result<Outcome>& outcome, base::Nanos at) {
  op.state = outcome ? OperationState::done : OperationState::failed;
  op.updated_at = op.finished_at = at;
  if (outcome) {
    op.response_status = outcome->status;
    op.response_json = outcome->json;
    return;
  }
  const ApiErrorDetail detail = api_detail(outcome.error());
  op.error_code = detail.code;
  op.last_error = outcome.error().message;
  op.response_status = detail.status;
  op.response_json = error_envelope(outcome.error());
}

Outcome outcome_of_row(const OperationRow& op) {
  return {.status = op.response_status, .json = op.response_json, .location = {}, .replayed = true};
}

}  // namespace fusebox::fleet
