#include "fleet/engine/live.h"

namespace fusebox::fleet {

std::shared_ptr<LiveEnvironment> LiveTable::use(std::string_view vm_id) {
  auto found = by_id_.find(vm_id);
  if (found == by_id_.end()) found = by_id_.emplace(std::string(vm_id), std::make_shared<LiveEnvironment>()).first;
  return found->second;
}

std::shared_ptr<LiveEnvironment> LiveTable::find(std::string_view vm_id) const {
  const auto found = by_id_.find(vm_id);
  return found == by_id_.end() ? nullptr : found->second;
}

bool LiveTable::in_use(std::string_view vm_id) const {
  const auto found = find(vm_id);
  return found && found->leases != 0;
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

}  // namespace fusebox::fleet
