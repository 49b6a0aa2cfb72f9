// The negative results of host functions (contract capability.md section 6).
#pragma once

#include <cstdint>
#include <string_view>

namespace fusebox::capability {

enum class HostCode : std::int32_t {
  ok = 0,
  argument_invalid = -1,
  utf8_invalid = -2,
  capability_not_found = -3,
  capability_disabled = -4,
  policy_violation = -5,
  not_found = -6,
  io = -7,
  too_large = -8,
  timeout = -9,
  network = -10,
  limit = -11,
  exists = -12,
  cancelled = -13,
};

// "ARGUMENT_INVALID", ...: the names of the table.
std::string_view to_string(HostCode code) noexcept;

}  // namespace fusebox::capability
