#include "base/fatal.h"

#include <cstdio>
#include <cstdlib>

namespace fusebox::base {

void fatal(std::string_view what) noexcept {
  std::fprintf(stderr, "fusebox: fatal: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace fusebox::base
