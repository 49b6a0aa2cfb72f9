#include "fleet/api/frame/view_cache.h"

#include <utility>

namespace fusebox::fleet {

std::shared_ptr<const CachedView> ViewCache::get(std::string_view vm_id, Ticket& ticket) {
  Shard& shard = this->shard(vm_id);
  const std::lock_guard lock(shard.mutex);
  ticket.changes = shard.changes;
  const auto found = shard.views.find(vm_id);
  return found == shard.views.end() ? nullptr : found->second;
}

void ViewCache::put(std::string_view vm_id, Ticket ticket, std::shared_ptr<const CachedView> view) {
  Shard& shard = this->shard(vm_id);
  const std::lock_guard lock(shard.mutex);
  if (shard.changes != ticket.changes) return;
  if (shard.views.size() >= kViewsMax / kShards) shard.views.clear();
  shard.views.insert_or_assign(std::string(vm_id), std::move(view));
}

void ViewCache::evict(std::string_view vm_id) {
  Shard& shard = this->shard(vm_id);
  const std::lock_guard lock(shard.mutex);
  ++shard.changes;
  const auto found = shard.views.find(vm_id);
  if (found != shard.views.end()) shard.views.erase(found);
}

}  // namespace fusebox::fleet
