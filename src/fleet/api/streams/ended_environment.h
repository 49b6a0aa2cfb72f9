// Environments that are gone, whose events and logs can still be read: whose they were.
//
// Threads  inside a read of the store.
// Contract control-plane.md 2.4, 5.6, 7
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

// The row is gone and with it the tenant; its operations are kept as long as its events are, and name it.
inline base::Result<bool> ended_is_visible(Reader& reader, std::string_view vm_id, const std::string& tenant) {
  if (tenant.empty()) return true;
  FB_TRY(const auto operations, reader.operations(tenant, vm_id, {}, 1));
  return !operations.empty();
}

}  // namespace fusebox::fleet
