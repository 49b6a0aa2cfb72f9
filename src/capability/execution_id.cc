#include "base/ids.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

std::string ExecutionId::text() const {
  return base::Uuid{bytes}.text();
}

Result<ExecutionId> ExecutionId::parse(std::string_view text) {
  FB_TRY(const base::Uuid id, base::Uuid::parse(text));
  return ExecutionId{id.bytes};
}

}  // namespace fusebox::capability
