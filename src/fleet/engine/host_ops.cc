#include "fleet/engine/host_ops.h"

#include <set>

#include "base/json.h"
#include "fleet/access/cidr.h"
#include "fleet/engine/boot_material.h"
#include "fleet/engine/create.h"
#include "fleet/engine/guest.h"
#include "fleet/engine/metered_provider.h"
#include "fleet/engine/placement.h"
#include "fleet/engine/removal.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kProbeLimit{seconds{10}};
constexpr std::uint32_t kPage = 200;
constexpr base::Nanos kContactStep{seconds{10}};  // last_seen is written at most that often
constexpr std::string_view kReferenceQemu = "qemu-agent/0.1";

// What of a host was told by its probe and not declared, as a list of field names.
std::string probed_json(const std::set<std::string>& fields) {
  base::json::Writer out;
  out.begin_object().key("fields").begin_array();
  for (const std::string& field : fields) out.string(field);
  return out.end_array().end_object().take();
}

std::set<std::string> probed_fields(const HostRow& row) {
  std::set<std::string> fields;
  const auto document = base::json::parse(row.probed_json);
  const auto* list = document ? document->root->find("fields") : nullptr;
  if (list == nullptr) return fields;
  for (const auto& one : list->elements()) fields.insert(one.string());
  return fields;
}

std::string devices_json(const host::Capacity& capacity) {
  base::json::Writer out;
  out.begin_array();
  for (const host::GpuDevice& device : capacity.gpu_devices) {
    out.begin_object();
    const auto text = [&](std::string_view key, const std::string& value) {
      if (!value.empty()) out.key(key).string(base::to_utf8(value));
    };
    text("uuid", device.uuid);
    text("model", device.model);
    text("pci_bus_id", device.pci_bus_id);
    if (device.memory_mb != 0) out.key("memory_mb").unsigned_integer(device.memory_mb);
    text("driver_version", device.driver_version);
    text("cuda_version", device.cuda_version);
    text("compute_cap", device.compute_cap);
    if (device.mig_capable) out.key("mig_capable").boolean(true);
    text("mig_mode", device.mig_mode);
    text("iommu_group", device.iommu_group);
    out.end_object();
  }
  return out.end_array().take();
}

std::string instances_json(const host::Capacity& capacity) {
  base::json::Writer out;
  out.begin_array();
  for (const host::MigInstance& instance : capacity.mig_instances) {
    out.begin_object();
    const auto text = [&](std::string_view key, const std::string& value) {
      if (!value.empty()) out.key(key).string(base::to_utf8(value));
    };
    text("uuid", instance.uuid);
    text("profile", instance.profile);
    text("kind", instance.kind);
    text("parent_gpu_uuid", instance.parent_gpu_uuid);
    out.end_object();
  }
  return out.end_array().take();
}

// Contract 20, ORCH_HOST_URL_CIDRS: with a list, a host must be named by an address inside it. A name could lead elsewhere
// at the next lookup.
base::Result<void> check_host_url(std::string_view url, std::string_view list) {
  FB_TRY(const CidrList allowed, CidrList::parse(list));
  std::string_view host = url.substr(url.find("://") + 3);
  host = host.substr(0, host.find('/'));
  if (host.starts_with('['))
    host = host.substr(1, host.find(']') - 1);
  else
    host = host.substr(0, host.find(':'));
  const auto address = http::IpAddress::parse(host);
  if (address && allowed.contains(*address)) return {};
  return refuse(400, "url: " + std::string(host) + " is not an address inside ORCH_HOST_URL_CIDRS");
}

struct Number {
  std::string_view name;
  std::int64_t HostRow::* field;
  std::int64_t host::Capacity::* probed;
};
constexpr Number kNumbers[] = {
    {"cpus", &HostRow::cpus_total, &host::Capacity::cpus},
    {"ram_mb", &HostRow::ram_mb_total, &host::Capacity::ram_mb},
    {"storage_gb", &HostRow::storage_gb_total, &host::Capacity::storage_gb},
};

base::Result<void> apply_probe(HostRow& row, const host::Capacity& capacity, std::vector<std::string>& warnings) {
  std::set<std::string> fields;
  for (const Number& number : kNumbers) {
    const std::int64_t probed = std::max<std::int64_t>(0, capacity.*number.probed);
    std::int64_t& mine = row.*number.field;
    if (mine <= 0) {
      mine = probed;
      fields.insert(std::string(number.name));
    } else if (mine > probed) {
      warnings.push_back("declared " + std::string(number.name) + " (" + std::to_string(mine) +
                         ") exceeds probed host capacity (" + std::to_string(probed) + ")");
    }
  }
  if (!row.arch.empty() && !capacity.arch.empty() && row.arch != capacity.arch)
    return refuse(400, "capacity.arch is " + row.arch + ", but the host at " + row.url + " is " + capacity.arch);
  if (row.arch.empty()) row.arch = capacity.arch;
  if (!row.gpu_kind.empty() && !capacity.gpu_kind.empty() && row.gpu_kind != capacity.gpu_kind)
    warnings.push_back("declared gpu_kind \"" + row.gpu_kind + "\" differs from the probed \"" + capacity.gpu_kind +
                       "\"");
  if (row.gpu_kind.empty()) row.gpu_kind = capacity.gpu_kind;
  if (row.gpus_total == 0 && row.backend == "qemu") row.gpus_total = capacity.gpus;
  row.gpu_devices_json = devices_json(capacity);
  row.mig_instances_json = instances_json(capacity);
  if (row.mig_profiles.empty()) row.mig_profiles = capacity.mig_profiles;
  row.features = capacity.features;
  row.agent_name = capacity.agent_name;
  row.agent_version = capacity.agent_version;
  row.probed_json = probed_json(fields);
  if (capacity.agent_name.starts_with(kReferenceQemu) && row.vm_count_max > 1) {
    row.vm_count_max = 1;
    warnings.push_back("this agent serves one vm at a time: vm_count limited to 1");
  }
  return {};
}

base::Result<HostRow> row_of(Core& core, const HostRequest& request) {
  HostRow row;
  row.host_id = request.id;
  row.url = request.url;
  row.region = request.region;
  row.backend = request.backend;
  row.arch = request.arch;
  row.labels = request.labels;
  row.cpus_total = request.cpus;
  row.ram_mb_total = request.ram_mb;
  row.storage_gb_total = request.storage_gb;
  row.vm_count_max = request.vm_count;
  row.gpus_total = request.gpus;
  row.gpu_kind = request.gpu_kind;
  row.mig_profiles = request.mig_profiles;
  if (!request.token.empty()) {
    FB_TRY(row.token_sealed, seal_host_token(core.parts.vault, row.host_id, request.token));
  }
  const HostTls tls{request.ca_pem, request.fingerprint_sha256, request.client_cert_pem, request.client_key_pem};
  if (!tls.ca_pem.empty() || !tls.fingerprint_sha256.empty() || !tls.client_cert_pem.empty()) {
    FB_TRY(row.tls_json, seal_host_tls(core.parts.vault, row.host_id, tls));
  }
  row.created_at = row.updated_at = row.reach_since = core.wall();
  return row;
}

host::ProviderSet::Remote probe_target(const HostRequest& request) {
  host::ProviderSet::Remote remote;
  remote.url = request.url;
  remote.token = request.token;
  remote.backend = request.backend;
  remote.ca_pem = request.ca_pem;
  remote.fingerprint_sha256 = request.fingerprint_sha256;
  remote.client_cert_pem = request.client_cert_pem;
  remote.client_key_pem = request.client_key_pem;
  return remote;
}

base::Result<void> judge_failed_probe(const HostRequest& request, HostRow& row, const base::Error& error,
                                      std::vector<std::string>& warnings) {
  const auto* failure = dynamic_cast<const host::WireFailure*>(error.detail.get());
  if (failure != nullptr && failure->status == 401)
    return refuse(502, "unauthorized",
                  "host at " + request.url + " rejected the token: it must be the agent's FC_AGENT_TOKEN", {});
  if (request.cpus <= 0 || request.ram_mb <= 0 || request.storage_gb <= 0)
    return refuse(502, "could not probe host agent at " + request.url + ": " + error.message);
  warnings.push_back("could not verify host agent at " + request.url + ": " + error.message);
  row.reach_state = Reachability::unreachable;
  row.last_error = error.message;
  return {};
}

base::Task<base::Result<void>> write_contact(Core& core, HostRow row) {
  co_return co_await core.commit("host_contact", [&](Tx& tx) -> base::Result<void> {
    tx.set_host_contact(row);
    return {};
  });
}

base::Task<base::Result<bool>> has_environments(Core& core, std::string host_id) {
  EnvironmentFilter filter;
  filter.host_id = host_id;
  FB_CO_TRY(const auto rows, co_await core.get<std::vector<EnvironmentView>>(
                                 [&](Reader& reader) { return reader.environment_views(filter, {}, 1); }));
  co_return !rows.empty();
}

// Drains what runs there, waits, and destroys what is left when the time is up.
base::Task<void> evict(Core& core, std::string host_id, std::int64_t timeout_seconds) {
  const RequestInfo nobody;
  EnvironmentFilter filter;
  filter.host_id = host_id;
  filter.state = "running";
  auto rows = co_await core.get<std::vector<EnvironmentRow>>(
      [&](Reader& reader) { return reader.environments(filter, {}, kPage); });
  if (rows) {
    for (const EnvironmentRow& row : *rows) (void)co_await drain_environment(core, nobody, row.vm_id);
  }
  const base::Nanos end = core.now() + base::Nanos{seconds{timeout_seconds}};
  while (core.now() < end && !core.closing) {
    auto busy = co_await has_environments(core, host_id);
    if (busy && !*busy) co_return;
    co_await core.pause(seconds{1});
  }
  while (!core.closing) {
    filter.state.reset();
    auto left = co_await core.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments(filter, {}, kPage); });
    if (!left || left->empty()) co_return;
    std::size_t removed = 0;
    for (const EnvironmentRow& row : *left) {
      auto gone =
          co_await remove_environment(core, row.vm_id, {}, RemovalReason("evicted", "host was drained"), nobody);
      if (gone) ++removed;
    }
    if (removed == 0) co_return;  // the reconciler keeps trying what is destroying
  }
}

}  // namespace

base::Task<base::Result<Outcome>> register_host(Core& core, RequestInfo info, HostRequest request) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  if (!core.parts.options.host_url_cidrs.empty())
    FB_CO_CHECK(check_host_url(request.url, core.parts.options.host_url_cidrs));
  FB_CO_TRY(HostRow row, row_of(core, request));
  std::vector<std::string> warnings;
  const auto old = core.hosts.find(request.id);
  if (old && old->row.backend != row.backend) {
    FB_CO_TRY(const bool busy, co_await has_environments(core, request.id));
    if (busy) co_return refuse(409, "host " + request.id + " has environments of backend \"" + old->row.backend + "\"");
  }
  const std::unique_ptr<host::Provider> probe = core.parts.providers.remote(probe_target(request));
  host::CallContext context;
  context.limit = kProbeLimit;
  context.request_id = info.request_id;
  const base::Nanos began = core.now();
  auto capacity = co_await probe->capacity(context);
  const double took = std::chrono::duration<double>(core.now() - began).count();
  if (capacity) {
    FB_CO_CHECK(apply_probe(row, *capacity, warnings));
    row.last_seen_at = core.wall();
  } else {
    FB_CO_CHECK(judge_failed_probe(request, row, capacity.error(), warnings));
  }
  if (old) {
    row.state = old->row.state;
    row.created_at = old->row.created_at;
    row.cpus_allocated = old->row.cpus_allocated;
    row.ram_mb_allocated = old->row.ram_mb_allocated;
    row.storage_gb_allocated = old->row.storage_gb_allocated;
    row.vm_count_allocated = old->row.vm_count_allocated;
    row.gpus_allocated = old->row.gpus_allocated;
  }
  Outcome outcome{.status = 201, .json = render_host(row, warnings), .location = {}, .replayed = false};
  EnvironmentRow none;
  OperationRow op = core.new_operation("register_host", none, info);
  op.host_id = row.host_id;
  finish_operation(op, outcome, core.wall());
  FB_CO_CHECK(co_await core.commit("host_registered", [&](Tx& tx) -> base::Result<void> {
    tx.put_host(row);
    if (!op.idem_key.empty()) tx.insert_operation(op);
    tx.add_event(event_of("host", row.host_id, "host.registered", row.updated_at));
    return {};
  }));
  FB_CO_CHECK(co_await refresh_host(core, row.host_id));
  if (const auto host = core.hosts.find(row.host_id); host && capacity) {
    core.hosts.contact(*host, core.now(), core.wall());
    take_capacity(*host, *capacity);
    core.hosts.changed(*host);
  }
  // Only now: one that was refused is no host, and its name must not make a series.
  core.parts.meters.agent_request(row.host_id, "capacity", agent_code(capacity ? nullptr : &capacity.error()), took);
  core.parts.meters.host_state(row.host_id, core.hosts.reachable(row.host_id));
  co_return outcome;
}

base::Task<base::Result<void>> set_cordoned(Core& core, std::string host_id, bool cordoned) {
  if (!core.hosts.find(host_id)) FB_CO_CHECK(co_await refresh_host(core, host_id));
  if (!core.hosts.find(host_id)) co_return no_such_host(host_id);
  const base::Nanos at = core.wall();
  FB_CO_CHECK(co_await core.commit("host_cordoned", [&](Tx& tx) -> base::Result<void> {
    tx.set_host_state(host_id, cordoned ? HostState::cordoned : HostState::active, at);
    tx.add_event(event_of("host", host_id, cordoned ? "host.cordoned" : "host.uncordoned", at));
    return {};
  }));
  co_return co_await refresh_host(core, host_id);
}

base::Task<base::Result<void>> drain_host(Core& core, std::string host_id, bool evict_all,
                                          std::int64_t timeout_seconds) {
  if (!core.hosts.find(host_id)) co_return no_such_host(host_id);
  const base::Nanos at = core.wall();
  FB_CO_CHECK(co_await core.commit("host_draining", [&](Tx& tx) -> base::Result<void> {
    tx.set_host_state(host_id, HostState::draining, at);
    tx.add_event(event_of("host", host_id, "host.draining", at));
    return {};
  }));
  FB_CO_CHECK(co_await refresh_host(core, host_id));
  if (evict_all) core.jobs.spawn(evict(core, host_id, timeout_seconds));
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> remove_host(Core& core, std::string host_id) {
  FB_CO_TRY(const auto row,
            co_await core.get<std::optional<HostRow>>([&](Reader& reader) { return reader.host(host_id); }));
  if (!row) co_return no_such_host(host_id);
  EnvironmentFilter filter;
  filter.host_id = host_id;
  FB_CO_TRY(const auto held, co_await core.get<std::vector<EnvironmentView>>(
                                 [&](Reader& reader) { return reader.environment_views(filter, {}, 1); }));
  if (!held.empty()) co_return refuse(409, "host " + host_id + " still has vm " + held.front().vm_id + " assigned");
  SnapshotFilter snapshots;
  snapshots.host_id = host_id;
  FB_CO_TRY(const auto rows, co_await core.get<std::vector<SnapshotRow>>(
                                 [&](Reader& reader) { return reader.snapshots(snapshots, {}, 10'000); }));
  const base::Nanos at = core.wall();
  auto removed = co_await core.commit("host_removed", [&](Tx& tx) -> base::Result<void> {
    for (SnapshotRow snapshot : rows) {
      const SnapshotState before = snapshot.state;
      snapshot.state = SnapshotState::error;
      snapshot.last_error = "host removed";
      snapshot.updated_at = at;
      tx.update_snapshot(snapshot, before);
    }
    tx.delete_host(host_id);
    tx.add_event(event_of("host", host_id, "host.removed", at));
    return {};
  });
  if (!removed && removed.error().name == "in_use")
    co_return refuse(409, "host " + host_id + " still has a vm assigned");
  if (!removed) co_return removed;
  core.hosts.remove(host_id);
  core.parts.meters.host_gone(host_id);
  co_return base::Result<void>{};
}

void take_capacity(ManagedHost& host, const host::Capacity& capacity) {
  const std::set<std::string> fields = probed_fields(host.row);
  for (const Number& number : kNumbers) {
    if (fields.contains(std::string(number.name)))
      host.row.*number.field = std::max<std::int64_t>(0, capacity.*number.probed);
  }
  if (!capacity.gpu_devices.empty()) host.row.gpu_devices_json = devices_json(capacity);
  if (!capacity.mig_instances.empty()) host.row.mig_instances_json = instances_json(capacity);
  if (!capacity.agent_name.empty()) host.row.agent_name = capacity.agent_name;
  if (!capacity.agent_version.empty()) host.row.agent_version = capacity.agent_version;
  host.row.features = capacity.features;
  host.features = {capacity.features.begin(), capacity.features.end()};
  host.images.clear();
  for (const auto& [name, size] : capacity.image_gb) host.images.insert(name);
  host.huge_pages_free_mb = capacity.huge_pages_free_mb.value_or(0);
}

base::Task<void> poll_host(Core& core, std::shared_ptr<ManagedHost> host) {
  const std::shared_ptr<host::Provider> provider = host->provider;
  if (!provider) co_return;
  const Reachability before = host->row.reach_state;
  host::CallContext context;
  context.limit = kProbeLimit;
  auto capacity = co_await provider->capacity(context);
  core.heard_of({provider.get(), provider, host}, capacity ? nullptr : &capacity.error());
  if (capacity) {
    take_capacity(*host, *capacity);
    core.hosts.changed(*host);
  } else if (host->row.last_error.empty()) {
    host->row.last_error = capacity.error().message;
  }
  const bool moved = before != host->row.reach_state;
  if (!moved && core.wall() - host->contact_written < kContactStep) co_return;
  host->contact_written = core.wall();
  HostRow row = host->row;
  const base::Nanos at = core.wall();
  const auto written = co_await core.commit("host_contact", [&](Tx& tx) -> base::Result<void> {
    tx.set_host_contact(row);
    if (moved)
      tx.add_event(event_of("host", row.host_id,
                            row.reach_state == Reachability::reachable ? "host.reachable" : "host.unreachable", at));
    return {};
  });
  if (!written) core.log(base::LogLevel::warn, "contact of a host not recorded", {{"host_id", row.host_id}});
}

base::Task<void> age_hosts(Core& core) {
  const EngineOptions& options = core.parts.options;
  for (const auto& host : core.hosts.all()) {
    if (!core.hosts.age(*host, core.now(), core.wall(), options.host_suspect, options.host_unreachable)) continue;
    core.parts.meters.host_state(host->row.host_id, core.hosts.reachable(host->row.host_id));
    const HostRow row = host->row;
    const base::Nanos at = core.wall();
    const auto written = co_await core.commit("host_aged", [&](Tx& tx) -> base::Result<void> {
      tx.set_host_contact(row);
      if (row.reach_state == Reachability::unreachable)
        tx.add_event(event_of("host", row.host_id, "host.unreachable", at));
      return {};
    });
    if (!written) core.log(base::LogLevel::warn, "state of a host not recorded", {{"host_id", row.host_id}});
  }
}

base::Task<base::Result<void>> take_heartbeat(Core& core, std::string host_id, HeartbeatRequest request) {
  const auto host = core.hosts.find(host_id);
  if (!host) co_return no_such_host(host_id);
  const bool moved = core.hosts.contact(*host, core.now(), core.wall());
  if (!request.agent_version.empty()) host->row.agent_version = request.agent_version;
  if (request.capacity) {
    host::Capacity told = *request.capacity;
    if (told.features.empty()) told.features = request.features.empty() ? host->row.features : request.features;
    take_capacity(*host, told);
  } else if (!request.features.empty()) {
    host->row.features = request.features;
    host->features = {request.features.begin(), request.features.end()};
  }
  core.hosts.changed(*host);
  if (moved) core.parts.meters.host_state(host_id, true);
  if (!moved && core.wall() - host->contact_written < kContactStep) co_return base::Result<void>{};
  host->contact_written = core.wall();
  co_return co_await write_contact(core, host->row);
}

base::Task<base::Result<std::string>> explain_placement(Core& core, CreateRequest request) {
  schedule::Demand demand = demand_of(request);
  if (demand.backend.empty()) demand.backend = default_backend(core, demand);
  base::json::Writer out;
  out.begin_object().key("hosts").begin_array();
  for (const schedule::Explanation& one : core.hosts.index().explain(demand)) {
    out.begin_object().key("host_id").string(one.host_id).key("fits").boolean(one.rejection.empty());
    if (one.rejection.empty())
      out.key("score").integer(one.rank.score);
    else
      out.key("reason").string(one.rejection);
    out.end_object();
  }
  out.end_array().key("decision").begin_object();
  const auto choice = choose_place(core, demand);
  if (!choice) {
    out.key("error").string(choice.error().message);
  } else {
    out.key("backend").string(choice->backend.empty() ? "any" : choice->backend);
    if (!choice->host_id.empty()) {
      out.key("host_id").string(choice->host_id);
      core.hosts.release(choice->host_id, schedule::reservation_of(demand, choice->placed));
    }
  }
  co_return out.end_object().end_object().take();
}

base::Task<base::Result<void>> load_hosts(Core& core) {
  std::set<std::string> gone;  // known here until no row says so
  for (const auto& host : core.hosts.all()) gone.insert(host->row.host_id);
  const bool leads = core.parts.store.is_leader();
  std::string after;
  for (;;) {
    FB_CO_TRY(auto rows,
              co_await core.get<std::vector<HostRow>>([&](Reader& reader) { return reader.hosts(after, kPage); }));
    if (rows.empty()) break;
    after = rows.back().host_id;
    for (HostRow& row : rows) {
      Reader::BoundDevices devices;
      if (row.gpus_total > 0 || !row.mig_profiles.empty()) {
        const std::string id = row.host_id;
        FB_CO_TRY(devices,
                  co_await core.get<Reader::BoundDevices>([&](Reader& reader) { return reader.bound_devices(id); }));
      }
      gone.erase(row.host_id);
      // Nobody is judged by the time this process was down.
      if (row.reach_state == Reachability::suspect) row.reach_state = Reachability::reachable;
      if (const auto known = core.hosts.find(row.host_id); known && leads) {
        // Who reaches what is this replica's own word.
        row.reach_state = known->row.reach_state;
        row.reach_since = known->row.reach_since;
        row.last_error = known->row.last_error;
        row.last_seen_at = std::max(row.last_seen_at, known->row.last_seen_at);
      }
      core.hosts.upsert(std::move(row), devices);
    }
  }
  for (const std::string& host_id : gone) {
    core.hosts.remove(host_id);
    core.parts.meters.host_gone(host_id);
  }
  co_return base::Result<void>{};
}

}  // namespace fusebox::fleet
