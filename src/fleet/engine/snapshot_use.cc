#include "fleet/engine/snapshot_use.h"

#include "fleet/engine/core.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kUsesMax = 10'000;  // ids kept; those whose step is over go first

base::Task<void> write_use(Core& core, std::string snapshot_id, base::Nanos at) {
  const auto written = co_await core.commit("snapshot_used", [&](Tx& tx) -> base::Result<void> {
    tx.touch_snapshot(snapshot_id, at);
    return {};
  });
  if (!written) core.log(base::LogLevel::warn, "use of a snapshot not recorded", {{"snapshot_id", snapshot_id}});
}

bool within_step(base::Nanos from, base::Nanos at) noexcept {
  return at >= from && at - from < kUseStep;  // a clock that went back ends the step
}

}  // namespace

void note_use(Core& core, const SnapshotRow& snapshot) {
  const base::Nanos at = core.wall();
  if (within_step(snapshot.last_used_at, at)) return;
  SnapshotUses& uses = core.snapshot_uses;
  if (uses.size() >= kUsesMax) std::erase_if(uses, [at](const auto& use) { return !within_step(use.second, at); });
  if (uses.size() >= kUsesMax) uses.clear();  // then some are written more often
  const auto [use, first] = uses.try_emplace(snapshot.snapshot_id, at);
  if (!first && within_step(use->second, at)) return;
  use->second = at;
  core.jobs.spawn(write_use(core, snapshot.snapshot_id, at));
}

}  // namespace fusebox::fleet
