// The passes that keep what is there in order: guests that lost their memory or whose certificates run out, gauges.
#include "fleet/engine/guest.h"
#include "fleet/engine/guest_setup.h"
#include "fleet/engine/rearm.h"
#include "fleet/engine/reconcile.h"

namespace fusebox::fleet {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kGuestsAtOnce = 64;       // contract 9.5
constexpr base::Nanos kGuestLimit{seconds{2}};  // contract 9.5
constexpr base::Nanos kQuiet{minutes{10}};      // contract 9.5: a guest whose files are there is not asked for a while
constexpr base::Nanos kRotateBefore{hours{24 * 30}};  // contract 8.4

}  // namespace

base::Task<void> Reconciler::guests() {
  base::Places places(core_.parts.executor, kGuestsAtOnce);
  base::TaskScope scope(core_.parts.executor);
  const auto one = [](Reconciler& self, base::Places& from, EnvironmentRow row) -> base::Task<void> {
    const auto place = co_await from.take();
    co_await self.guest(std::move(row));
  };
  EnvironmentFilter filter;
  filter.state = "running";
  std::set<std::string, std::less<>> seen;
  std::string after;
  for (;;) {
    auto rows = co_await core_.get<std::vector<EnvironmentRow>>(
        [&](Reader& reader) { return reader.environments(filter, after, kPage); });
    if (!rows || rows->empty()) break;
    after = rows->back().vm_id;
    for (EnvironmentRow& row : *rows) {
      if (!guest_kind(row.backend).agent || !row.op_id.empty() || !core_.hosts.reachable(row.host_id)) continue;
      seen.insert(row.vm_id);
      scope.spawn(one(*this, places, std::move(row)));
    }
  }
  co_await scope.all_ended();
  std::erase_if(silences_, [&](const auto& entry) { return !seen.contains(entry.first); });
}

base::Task<void> Reconciler::guest(EnvironmentRow row) {
  const base::Nanos wall = core_.wall();
  if (row.cert_not_after.count() != 0 && row.cert_not_after - wall < kRotateBefore) {
    const RequestInfo nobody;
    auto rotated = co_await rotate_token(core_, nobody, row.vm_id);
    if (!rotated) core_.log(base::LogLevel::warn, "credentials of a guest not renewed", {{"vm_id", row.vm_id}});
    co_return;
  }
  auto place = core_.place_of(row);
  if (!place || place->has("boot-id")) co_return;  // its list says when it was booted again
  const std::string fingerprint = base::to_hex(row.cert_sha256);
  auto status = co_await core_.parts.providers.guest_get(row.url, "/health", std::string(), fingerprint, kGuestLimit);
  Silence& silence = silences_[row.vm_id];
  if (status) {
    silence.misses = 0;
    co_return;
  }
  if (++silence.misses < 2 || core_.now() < silence.asked_again) co_return;
  const std::optional<bool> armed_still = co_await is_armed(row, *place);
  if (!armed_still) co_return;
  if (*armed_still) {
    silences_[row.vm_id].asked_again = core_.now() + kQuiet;
    co_return;
  }
  auto armed = co_await rearm(core_, row, "reboot");
  if (!armed) {
    core_.log(base::LogLevel::warn, "guest could not be armed again",
              {{"vm_id", row.vm_id}, {"error", armed.error().message}});
    co_return;
  }
  silences_.erase(row.vm_id);
  const auto noted = co_await core_.commit("boot_seen", [&](Tx& tx) -> base::Result<void> {
    tx.add_event(vm_event(row, "vm.guest_rebooted", wall));
    return {};
  });
  if (!noted) core_.log(base::LogLevel::warn, "event not recorded", {{"vm_id", row.vm_id}});
}

base::Task<std::optional<bool>> Reconciler::is_armed(EnvironmentRow row, Place place) {
  host::ProcessSpec spec;
  spec.argv = {"test", "-s", "/fuse/manifest.json"};
  spec.timeout = seconds{10};
  host::CallContext context;
  context.limit = seconds{25};
  auto there = co_await place.provider->exec(context, row.host_vm_name, std::move(spec));
  core_.heard(place, there);
  std::optional<bool> armed;
  if (there) armed = there->exit.exit_code == 0;
  co_return armed;
}

base::Task<void> Reconciler::gauges() {
  EngineMeters& meters = core_.parts.meters;
  for (const auto& host : core_.hosts.all()) {
    const HostRow& row = host->row;
    meters.host_state(row.host_id, core_.hosts.reachable(row.host_id));
    meters.host_room(row.host_id, "cpus", row.cpus_total, row.cpus_allocated);
    meters.host_room(row.host_id, "ram_mb", row.ram_mb_total, row.ram_mb_allocated);
    meters.host_room(row.host_id, "storage_gb", row.storage_gb_total, row.storage_gb_allocated);
    meters.host_room(row.host_id, "vms", row.vm_count_max, row.vm_count_allocated);
    meters.host_room(row.host_id, "gpus", row.gpus_total, row.gpus_allocated);
  }
  co_await snapshot_gauges();
  auto counts =
      co_await core_.get<std::vector<Reader::StateCount>>([](Reader& reader) { return reader.environment_counts(); });
  if (!counts) co_return;
  std::set<std::pair<std::string, std::string>> shown;
  for (const Reader::StateCount& one : *counts) {
    meters.environments(to_string(one.state), one.backend, one.count);
    shown.emplace(to_string(one.state), one.backend);
  }
  for (const auto& [state, backend] : counted_)
    if (!shown.contains({state, backend})) meters.environments(state, backend, 0);
  counted_ = std::move(shown);
}

// A host that keeps none shows 0: absence would be no news. What is left of removed hosts is nobody's any more.
base::Task<void> Reconciler::snapshot_gauges() {
  auto found =
      co_await core_.get<std::vector<Reader::HostSnapshots>>([](Reader& reader) { return reader.host_snapshots(); });
  if (!found) co_return;
  std::map<std::string, Reader::HostSnapshots, std::less<>> all;
  all.try_emplace(std::string());
  for (const auto& host : core_.hosts.all()) all.try_emplace(host->row.host_id);
  for (const Reader::HostSnapshots& one : *found)
    if (const auto known = all.find(one.host_id); known != all.end()) known->second = one;
  for (const auto& [host_id, one] : all) core_.parts.meters.snapshots(host_id, one.count, one.bytes, one.leaked_bytes);
}

}  // namespace fusebox::fleet
