// Who asks, as the credentials say.
//
// Threads  never changes once made; shared by everything a caller has under way.
// Contract control-plane.md 2.1-2.4
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "fleet/access/scopes.h"
#include "fleet/store/records.h"

namespace fusebox::fleet {

// Of a key without explicit scopes: what the reference's keys may do. A word nobody knows grants nothing.
Scopes scopes_of_key(const std::optional<std::vector<std::string>>& scopes);

struct Principal {
  std::string id;           // "master", "open", or a key's id
  std::string tenant;       // what it may see, "" = everything
  std::string layer_scope;  // callerTenantID
  Scopes scopes;
  bool is_key = false;
  base::Nanos expires_at{0};  // wall, 0 = never
  base::Bytes login_sha256;   // of a browser session, empty = none
  bool expired(base::Nanos wall) const noexcept { return expires_at.count() != 0 && wall >= expires_at; }
};
using PrincipalPtr = std::shared_ptr<const Principal>;

inline bool is_live(const ApiKeyRow& row, base::Nanos wall) noexcept {
  return row.revoked_at.count() == 0 && (row.expires_at.count() == 0 || wall < row.expires_at);
}
inline bool is_live(const LoginRow& row, base::Nanos wall) noexcept {
  return row.revoked_at.count() == 0 && wall < row.expires_at;
}

}  // namespace fusebox::fleet
