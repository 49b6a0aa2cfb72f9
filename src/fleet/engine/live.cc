#include "fleet/engine/live.h"

namespace fusebox::fleet {

bool activity_is_due(const LiveEnvironment& live, base::Nanos wall) noexcept {
  return wall < live.activity_written || wall - live.activity_written >= live.activity_step;
}

std::shared_ptr<LiveEnvironment> LiveTable::use(const std::string& vm_id, const Incarnation& incarnation) {
  if (const auto found = by_id_.find(vm_id); found != by_id_.end()) {
    if (found->second->incarnation == incarnation) return found->second;
    end(vm_id);
  }
  auto live = std::make_shared<LiveEnvironment>();
  live->incarnation = incarnation;
  by_id_.emplace(vm_id, live);
  return live;
}

bool LiveTable::in_use(std::string_view vm_id) const {
  const auto found = by_id_.find(vm_id);
  return found != by_id_.end() && found->second->leases != 0;
}

bool LiveTable::is_of(std::string_view vm_id, const Incarnation& incarnation) const {
  const auto found = by_id_.find(vm_id);
  return found != by_id_.end() && found->second->incarnation == incarnation;
}

void LiveTable::note_change(std::string_view vm_id) {
  if (const auto found = by_id_.find(vm_id); found != by_id_.end()) found->second->changed = true;
}

void LiveTable::end(std::string_view vm_id) {
  const auto found = by_id_.find(vm_id);
  if (found == by_id_.end()) return;
  const auto environment = std::move(found->second);
  by_id_.erase(found);
  environment->ended.request_stop();
}

void LiveTable::end_all() {
  for (const auto& [id, environment] : std::exchange(by_id_, {})) environment->ended.request_stop();
}

std::vector<std::string> LiveTable::changed_in_use() {
  std::vector<std::string> ids;
  for (const auto& [id, live] : by_id_)
    if (std::exchange(live->changed, false) && live->leases != 0) ids.push_back(id);
  return ids;
}

std::vector<std::string> LiveTable::activity_due(base::Nanos wall) const {
  std::vector<std::string> ids;
  for (const auto& [id, live] : by_id_)
    if (live->leases != 0 && activity_is_due(*live, wall)) ids.push_back(id);
  return ids;
}

void LiveTable::activity_written(const std::vector<std::string>& vm_ids, base::Nanos wall) {
  for (const std::string& id : vm_ids)
    if (const auto found = by_id_.find(id); found != by_id_.end()) found->second->activity_written = wall;
}

void LiveTable::forget_unused(base::Nanos wall) {
  std::erase_if(
      by_id_, [wall](const auto& entry) { return entry.second->leases == 0 && activity_is_due(*entry.second, wall); });
}

}  // namespace fusebox::fleet
