// HAL group timer: the clock a module may read.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kTimerGroup;

}  // namespace fusebox::edge
