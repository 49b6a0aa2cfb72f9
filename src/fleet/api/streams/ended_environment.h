// Environments that are gone, whose events and logs can still be read.
//
// Threads  inside a read of the store.
// Contract control-plane.md 2.4, 5.6, 7
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

// The newest of this name, when the caller may see it: an older one of his under a name that is another's now stays hidden.
inline base::Result<std::optional<EndedEnvironment>> visible_ended(Reader& reader, std::string_view vm_id,
                                                                   const std::string& tenant) {
  FB_TRY(auto ended, reader.ended_environment(vm_id));
  if (ended && !tenant.empty() && ended->tenant_id != tenant) ended.reset();
  return ended;
}

}  // namespace fusebox::fleet
