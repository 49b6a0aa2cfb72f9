// HAL group gpio: digital pins.
#pragma once

#include "edge/hal/table.h"

namespace fusebox::edge {

extern constinit const HalGroup kGpioGroup;

}  // namespace fusebox::edge
