// Hosts: heard of by polls and heartbeats, judged by their silence, read from the store.
#include <algorithm>
#include <set>

#include "fleet/engine/host_ops.h"
#include "fleet/engine/host_probe.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kProbeLimit{seconds{10}};
constexpr std::uint32_t kPage = 200;
constexpr base::Nanos kContactStep{seconds{10}};  // last_seen is written at most that often

base::Task<base::Result<void>> write_contact(Core& core, HostRow row, std::string_view event = {}) {
  const base::Nanos at = core.wall();
  co_return co_await core.commit("host_contact", [&](Tx& tx) -> base::Result<void> {
    tx.set_host_contact(row);
    if (!event.empty()) tx.add_event(event_of("host", row.host_id, event, at));
    return {};
  });
}

base::Task<void> tell_contact(Core& core, HostRow row, std::string_view event) {
  const std::string host_id = row.host_id;
  const auto written = co_await write_contact(core, std::move(row), event);
  if (!written) core.log(base::LogLevel::warn, "contact of a host not recorded", {{"host_id", host_id}});
}

// Another replica had an answer or a heartbeat of it.
void heard_elsewhere(Core& core, const std::shared_ptr<ManagedHost>& host, base::Nanos seen_at) {
  const base::Nanos age = std::max(base::Nanos{0}, core.wall() - seen_at);
  if (age > core.parts.options.host_suspect) return;
  const Reachability before = host->row.reach_state;
  if (core.hosts.contact(*host, std::max(host->contact, core.now() - age), seen_at)) note_reach(core, host, before);
}

}  // namespace

std::string_view reach_event(Reachability before, Reachability after) noexcept {
  if (before == after) return {};
  if (after == Reachability::unreachable) return "host.unreachable";
  return before == Reachability::unreachable ? "host.reachable" : std::string_view();
}

void note_reach(Core& core, std::shared_ptr<ManagedHost> host, Reachability before) {
  core.parts.meters.host_state(host->row.host_id, core.hosts.reachable(host->row.host_id));
  if (core.closing || !core.parts.store.is_leader()) return;
  host->contact_written = core.wall();
  core.jobs.spawn(tell_contact(core, host->row, reach_event(before, host->row.reach_state)));
}

base::Task<void> poll_host(Core& core, std::shared_ptr<ManagedHost> host) {
  const std::shared_ptr<host::Provider> provider = host->provider;
  if (!provider) co_return;
  host::CallContext context;
  context.limit = kProbeLimit;
  auto capacity = co_await provider->capacity(context);
  if (capacity) {
    take_capacity(core, *host, *capacity);
    core.hosts.changed(*host);
  }
  core.heard_of({provider.get(), provider, host}, capacity ? nullptr : &capacity.error());
  if (!capacity && host->row.last_error.empty()) host->row.last_error = capacity.error().message;
  if (core.wall() - host->contact_written < kContactStep) co_return;
  host->contact_written = core.wall();
  co_await tell_contact(core, host->row, {});
}

base::Task<void> ask_default_agents(Core& core) {
  for (const auto& [backend, agent] : core.default_agents) {
    host::Provider* const provider = core.parts.providers.local(backend);
    if (provider == nullptr) continue;
    host::CallContext context;
    context.limit = kProbeLimit;
    const auto capacity = co_await provider->capacity(context);
    if (capacity) agent->learn(core.parts.executor, capacity->features);
  }
}

void age_hosts(Core& core) {
  const EngineOptions& options = core.parts.options;
  for (const auto& host : core.hosts.all()) {
    const Reachability before = host->row.reach_state;
    if (core.hosts.age(*host, core.now(), core.wall(), options.host_suspect, options.host_unreachable))
      note_reach(core, host, before);
  }
}

base::Task<base::Result<void>> take_heartbeat(Core& core, std::string host_id, HeartbeatRequest request) {
  // Registered with another replica a moment ago: told that it is unknown, it would register again.
  if (!core.hosts.find(host_id)) FB_CO_CHECK(co_await refresh_host(core, host_id));
  const auto host = core.hosts.find(host_id);
  if (!host) co_return no_such_host(host_id);
  const Reachability before = host->row.reach_state;
  const bool moved = core.hosts.contact(*host, core.now(), core.wall());
  if (!request.agent_version.empty()) host->row.agent_version = request.agent_version;
  if (request.capacity) {
    host::Capacity told = *request.capacity;
    if (told.features.empty()) told.features = request.features.empty() ? host->row.features : request.features;
    take_capacity(core, *host, told);
  } else if (!request.features.empty()) {
    core.hosts.set_features(*host, request.features);
  }
  core.hosts.changed(*host);
  if (moved) core.parts.meters.host_state(host_id, true);
  if (!moved && core.wall() - host->contact_written < kContactStep) co_return base::Result<void>{};
  host->contact_written = core.wall();
  const std::string_view event = core.parts.store.is_leader() ? reach_event(before, host->row.reach_state) : "";
  co_return co_await write_contact(core, host->row, event);
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
      const auto known = core.hosts.find(row.host_id);
      // Nobody is judged by the time this process was down.
      if (!known && row.reach_state == Reachability::suspect) row.reach_state = Reachability::reachable;
      if (known && row.last_seen_at > known->row.last_seen_at) heard_elsewhere(core, known, row.last_seen_at);
      if (known && leads) {
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
