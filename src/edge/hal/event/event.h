// HAL group event: a module posts events to others. Always there.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kEventGroup;

}  // namespace fusebox::edge
