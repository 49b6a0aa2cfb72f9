#include "capability/decision.h"

namespace fusebox::capability {

std::string_view to_string(HostCode code) noexcept {
  switch (code) {
    case HostCode::ok:
      return "OK";
    case HostCode::argument_invalid:
      return "ARGUMENT_INVALID";
    case HostCode::utf8_invalid:
      return "UTF8_INVALID";
    case HostCode::capability_not_found:
      return "CAPABILITY_NOT_FOUND";
    case HostCode::capability_disabled:
      return "CAPABILITY_DISABLED";
    case HostCode::policy_violation:
      return "POLICY_VIOLATION";
    case HostCode::not_found:
      return "NOT_FOUND";
    case HostCode::io:
      return "IO";
    case HostCode::too_large:
      return "TOO_LARGE";
    case HostCode::timeout:
      return "TIMEOUT";
    case HostCode::network:
      return "NETWORK";
    case HostCode::limit:
      return "LIMIT";
    case HostCode::exists:
      return "EXISTS";
    case HostCode::cancelled:
      return "CANCELLED";
  }
  return "UNKNOWN";
}

std::string_view to_string(Decision decision) noexcept {
  switch (decision) {
    case Decision::authorized:
      return "AUTHORIZED";
    case Decision::denied_capability_not_found:
      return "DENIED_CAPABILITY_NOT_FOUND";
    case Decision::denied_capability_disabled:
      return "DENIED_CAPABILITY_DISABLED";
    case Decision::denied_argument_invalid:
      return "DENIED_ARGUMENT_INVALID";
    case Decision::denied_policy_violation:
      return "DENIED_POLICY_VIOLATION";
  }
  return "UNKNOWN";
}

}  // namespace fusebox::capability
