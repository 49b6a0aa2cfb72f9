#include "cli/version.h"

namespace fusebox::cli {

std::string_view version() noexcept {
  return FUSEBOX_VERSION;
}

}  // namespace fusebox::cli
