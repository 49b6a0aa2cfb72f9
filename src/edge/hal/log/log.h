// HAL group log: a module's entries in the security log. Always there.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kLogGroup;

}  // namespace fusebox::edge
