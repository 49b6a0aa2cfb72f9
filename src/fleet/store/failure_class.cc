#include "fleet/store/failure_class.h"

namespace fusebox::fleet {

std::string_view failure_class(const base::Error& error) noexcept {
  switch (error.code) {
    case base::Errc::exhausted:
      return error.name.empty() ? "full" : "";
    case base::Errc::corrupt:
      return "corrupt";
    case base::Errc::unavailable:
      return "unreachable";
    case base::Errc::bug:
      return "error";
    default:
      return "";
  }
}

}  // namespace fusebox::fleet
