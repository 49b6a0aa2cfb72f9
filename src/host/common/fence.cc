#include "host/common/fence.h"

#include <algorithm>

namespace fusebox::host {

base::Result<void> Fence::admit(const std::string& name, std::uint64_t generation, base::Nanos now) {
  if (generation == 0) return {};
  const auto [at, is_new] = seen_.try_emplace(name);
  Seen& seen = at->second;
  if (generation < seen.generation) {
    return base::fail(base::Errc::stale, "stale generation " + std::to_string(generation) + ": " +
                                             std::to_string(seen.generation) + " has been seen of " + name);
  }
  seen.generation = generation;
  if (is_new) gone(name, now);  // nobody lives under it yet
  return {};
}

void Fence::live(const std::string& name, std::uint64_t generation) {
  Seen& seen = seen_[name];
  seen.live = true;
  seen.generation = std::max(seen.generation, generation);
}

void Fence::gone(const std::string& name, base::Nanos now) {
  Seen& seen = seen_[name];
  seen.live = false;
  seen.buried = now;
  tombstones_.push_back({name, now});
  forget_old(now);
}

std::uint64_t Fence::highest(std::string_view name) const noexcept {
  const auto at = seen_.find(name);
  return at == seen_.end() ? 0 : at->second.generation;
}

void Fence::forget_old(base::Nanos now) {
  while (!tombstones_.empty()) {
    const Tombstone& oldest = tombstones_.front();
    if (tombstones_.size() <= kTombstonesMax && now - oldest.at < kTombstoneKept) return;
    const auto at = seen_.find(oldest.name);
    // A name that lives again, or was buried again, has its own later end.
    if (at != seen_.end() && !at->second.live && at->second.buried == oldest.at) seen_.erase(at);
    tombstones_.pop_front();
  }
}

}  // namespace fusebox::host
