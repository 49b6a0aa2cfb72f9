// Hosts: cordoned, drained, removed.
#include "fleet/engine/evict.h"
#include "fleet/engine/host_ops.h"

namespace fusebox::fleet {

base::Task<base::Result<bool>> has_environments(Core& core, std::string host_id) {
  EnvironmentFilter filter;
  filter.host_id = host_id;
  FB_CO_TRY(const auto rows, co_await core.get<std::vector<EnvironmentView>>(
                                 [&](Reader& reader) { return reader.environment_views(filter, {}, 1); }));
  co_return !rows.empty();
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

base::Task<base::Result<void>> drain_host(Core& core, std::string host_id, bool evicting,
                                          std::int64_t timeout_seconds) {
  if (!core.hosts.find(host_id)) co_return no_such_host(host_id);
  const base::Nanos at = core.wall();
  const base::Nanos evict_at = evicting ? at + base::Nanos{std::chrono::seconds{timeout_seconds}} : base::Nanos{0};
  FB_CO_CHECK(co_await core.commit("host_draining", [&](Tx& tx) -> base::Result<void> {
    tx.set_host_state(host_id, HostState::draining, at, evict_at);
    tx.add_event(event_of("host", host_id, "host.draining", at));
    return {};
  }));
  FB_CO_CHECK(co_await refresh_host(core, host_id));
  if (evicting) core.jobs.spawn(evict(core, host_id));
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
  const base::Nanos at = core.wall();
  auto removed = co_await core.commit("host_removed", [&](Tx& tx) -> base::Result<void> {
    tx.fail_snapshots_of_host(host_id, "host removed", at);
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

}  // namespace fusebox::fleet
