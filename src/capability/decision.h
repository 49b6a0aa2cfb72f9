// The five authorization decisions (contract capability.md section 9) and how one is reasoned.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "capability/host_code.h"

namespace fusebox::capability {

enum class Decision : std::uint8_t {
  authorized,
  denied_capability_not_found,
  denied_capability_disabled,
  denied_argument_invalid,
  denied_policy_violation,
};
inline constexpr std::size_t kDecisions = 5;

// "AUTHORIZED", "DENIED_CAPABILITY_NOT_FOUND", ...
std::string_view to_string(Decision decision) noexcept;

// One decision with its reason. `reason` says for a person what was refused and why; it holds no host path, no resolved
// address and no secret, because last_error gives it to the guest.
struct Ruling {
  Decision decision = Decision::authorized;
  HostCode code = HostCode::ok;
  std::string reason;
  bool authorized() const noexcept { return decision == Decision::authorized; }
};

inline Ruling deny(Decision decision, HostCode code, std::string reason) {
  return Ruling{decision, code, std::move(reason)};
}

}  // namespace fusebox::capability
