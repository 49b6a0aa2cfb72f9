#include "fleet/engine/evict.h"

#include "fleet/engine/guest.h"
#include "fleet/engine/removal.h"

namespace fusebox::fleet {
namespace {

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kAtOnce = 8;  // as many as the reconciler deletes at once (contract 13)
constexpr base::Nanos kStep{std::chrono::seconds{1}};

// A refusal needs no answer here: every look sees the state it has by then.
base::Task<void> end_one(Core& core, base::Places& places, EnvironmentRow row, bool late) {
  const auto place = co_await places.take();
  const RequestInfo nobody;
  if (!late) {
    (void)co_await drain_environment(core, nobody, row.vm_id);
    co_return;
  }
  const RemovalReason reason("evicted", "host was drained");
  (void)co_await remove_environment(core, row.vm_id, {}, reason, nobody);
}

base::Task<void> end_all(Core& core, std::vector<EnvironmentRow> rows, bool late) {
  base::Places places(core.parts.executor, kAtOnce);
  base::TaskScope scope(core.parts.executor);
  for (EnvironmentRow& row : rows) {
    // What is destroying and could not be deleted is the reconciler's.
    const bool due = late ? row.state != EnvironmentState::destroying : row.state == EnvironmentState::running;
    if (due) scope.spawn(end_one(core, places, std::move(row), late));
  }
  co_await scope.all_ended();
}

}  // namespace

bool is_evicting(const HostRow& row) noexcept {
  return row.state == HostState::draining && row.evict_at.count() != 0;
}

base::Task<void> evict(Core& core, std::string host_id) {
  if (!core.evictions.insert(host_id).second) co_return;
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
      co_await end_all(core, std::move(*rows), core.wall() >= host->row.evict_at);
      continue;
    }
    if (rows && after.empty()) break;  // nothing is there
    after.clear();
    co_await core.pause(kStep);
  }
  core.evictions.erase(host_id);
}

}  // namespace fusebox::fleet
