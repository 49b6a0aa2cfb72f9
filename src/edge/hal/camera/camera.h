// HAL group camera: the newest frame, copied into the module's memory.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kCameraGroup;

}  // namespace fusebox::edge
