#include "fleet/api/frame/principal.h"

#include <span>

namespace fusebox::fleet {

Scopes scopes_of_key(const std::optional<std::vector<std::string>>& scopes) {
  if (!scopes) return Scopes::defaults();
  return Scopes::parse(*scopes).value_or(Scopes{});
}

}  // namespace fusebox::fleet
