#include "fleet/engine/evict.h"

#include <set>

#include "fleet/engine/guest.h"
#include "fleet/engine/removal.h"

namespace fusebox::fleet {
namespace {

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kAtOnce = 8;  // as many as the reconciler deletes at once (contract 13)
constexpr base::Nanos kStep{std::chrono::seconds{1}};

struct Drains {
  explicit Drains(base::Executor& executor) : places(executor, kAtOnce), scope(executor) {}
  base::Places places;
  base::TaskScope scope;
  std::set<std::string, std::less<>> under_way;  // by vm_id
};

bool is_late(const Core& core, const HostRow& host) {
  return core.wall() >= host.evict_at;
}

// A refusal needs no answer here, nor below: every look sees the state it has by then.
base::Task<void> drain_one(Core& core, Drains& drains, std::string host_id, std::string vm_id) {
  const auto place = co_await drains.places.take();
  const auto host = core.hosts.find(host_id);
  if (!core.closing && host && is_evicting(host->row) && !is_late(core, host->row)) {
    const RequestInfo nobody;
    (void)co_await drain_environment(core, nobody, vm_id);
  }
  drains.under_way.erase(vm_id);
}

base::Task<void> remove_one(Core& core, base::Places& places, std::string host_id, std::string vm_id) {
  const auto place = co_await places.take();
  const auto host = core.hosts.find(host_id);
  if (core.closing || !host || !is_evicting(host->row)) co_return;
  const RequestInfo nobody;
  const RemovalReason reason("evicted", "host was drained");
  (void)co_await remove_environment(core, vm_id, {}, reason, nobody);
}

// What is destroying and could not be deleted is the reconciler's.
base::Task<void> remove_all(Core& core, std::vector<EnvironmentRow> rows) {
  base::Places places(core.parts.executor, kAtOnce);
  base::TaskScope scope(core.parts.executor);
  for (const EnvironmentRow& row : rows)
    if (row.state != EnvironmentState::destroying) scope.spawn(remove_one(core, places, row.host_id, row.vm_id));
  co_await scope.all_ended();
}

}  // namespace

bool is_evicting(const HostRow& row) noexcept {
  return row.state == HostState::draining && row.evict_at.count() != 0;
}

// Nobody waits for the drains: when the time is up, those that still run are cancelled by the removals.
base::Task<void> evict(Core& core, std::string host_id) {
  if (!core.evictions.insert(host_id).second) co_return;
  Drains drains(core.parts.executor);
  EnvironmentFilter filter;
  filter.host_id = host_id;
  std::string after;
  while (!core.closing) {
    const auto host = core.hosts.find(host_id);
    if (!host || !is_evicting(host->row)) break;
    auto rows = co_await core.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments(filter, after, kPage); });
    if (rows && !rows->empty()) {
      after = rows->back().vm_id;
      if (is_late(core, host->row)) {
        co_await remove_all(core, std::move(*rows));
        continue;
      }
      for (const EnvironmentRow& row : *rows) {
        if (row.state != EnvironmentState::running || !drains.under_way.insert(row.vm_id).second) continue;
        drains.scope.spawn(drain_one(core, drains, host_id, row.vm_id));
      }
      continue;
    }
    if (rows && after.empty()) break;  // nothing is there
    after.clear();
    co_await core.pause(kStep);
  }
  co_await drains.scope.all_ended();
  core.evictions.erase(host_id);
}

}  // namespace fusebox::fleet
